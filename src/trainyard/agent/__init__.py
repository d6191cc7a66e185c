"""What happens next to the training process: channels, contract files, outputs, metrics."""
