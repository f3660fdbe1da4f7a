"""Writers whose directory is a URL: segments, faults, and a real S3-compatible server."""
