// Suites that several test targets share.
