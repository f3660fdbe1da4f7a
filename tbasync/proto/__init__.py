"""The schemas of event files, wire-compatible with TensorBoard's, in a protobuf package of their own."""
