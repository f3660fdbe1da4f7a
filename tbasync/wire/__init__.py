"""The event file's format, layer by layer: CRC, record, event; bytes in, bytes out."""
