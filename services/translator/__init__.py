"""Between the two: spikes to rates for TVB, rates to drive for NEST."""
