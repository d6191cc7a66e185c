"""Amazon SageMaker itself, behind ports.service: through boto3 alone, which nothing outside of this package sees."""
