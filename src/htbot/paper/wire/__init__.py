"""The TWS wire protocol as data: framing, field tables, and the one encoder and decoder that read them."""
