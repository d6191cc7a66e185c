"""What AWS clients in a container ask for their keys: the address that `AWS_CONTAINER_CREDENTIALS_FULL_URI` names."""
