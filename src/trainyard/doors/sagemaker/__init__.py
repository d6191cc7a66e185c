"""The SageMaker API: stock boto3, AWS CLI and SageMaker SDK train here."""
