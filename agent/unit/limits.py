"""What a unit's numbers are multiplied by to be ours, and beyond which they are lies."""

HS_PER_GHS = 1e9
HS_PER_THS = 1e12
HZ_PER_MHZ = 1e6

# Far beyond any unit of the catalogue (860 TH/s); a rate above it is a lie, and would move a site's total.
MAX_HASHRATE_HS = 2e15
MAX_CELSIUS = 200.0
MIN_CELSIUS = -60.0
MAX_RPM = 30_000.0
MAX_CHIPS = 4096
MAX_FREQUENCY_HZ = 5e9
MAX_WATTS = 50_000.0
MAX_UPTIME_S = 3e9
# Counters beyond these are lies as well; what is worked out from them must stay finite, and fit 64 bits.
MAX_COUNT = 1e15
MAX_DIFFICULTY = 1e18
# Longer lists than any unit has hardware for are no lists of hardware.
MAX_BOARDS = 16
MAX_FANS = 16
MAX_SENSORS = 16
