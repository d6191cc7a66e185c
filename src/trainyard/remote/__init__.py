"""Another Trainyard as a TrainingService: what it answers is told as it told it, what it refuses refused as it did."""
