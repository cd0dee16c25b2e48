"""What both executors share: resources, interrupts, and what a run hears from its trials."""
