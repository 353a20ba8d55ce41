"""The session protocol without IO: frames, queues, and one engine per end (see docs/session-protocol.md).

Pure: no clock, no thread, no native library. Times are arguments, and an engine sends through a Transport.
"""
