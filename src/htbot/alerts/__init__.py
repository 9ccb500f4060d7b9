"""What people are told: wording and throttling. Delivery lives in the adapters."""
