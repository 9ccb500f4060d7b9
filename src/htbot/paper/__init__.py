"""The paper gateway: a server of the TWS wire protocol with a market, a matching engine and books of its own."""
