"""State changes of jobs, told to a URL in the body that EventBridge gives its subscribers."""
