"""Videos: decoding in one sequential pass, clip sampling as pure index arithmetic, and JPEG."""
