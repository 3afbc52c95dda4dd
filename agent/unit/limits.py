"""Unit conversions and plausibility limits."""

HS_PER_MHS = 1e6
HS_PER_GHS = 1e9
HS_PER_THS = 1e12
HZ_PER_MHZ = 1e6

# Well above the largest unit in the catalogue (1,160 TH/s); a higher rate is false, and would distort a site's total.
MAX_HASHRATE_HS = 2e15
MAX_CELSIUS = 200.0
MIN_CELSIUS = -60.0
MAX_RPM = 30_000.0
MAX_CHIPS = 4096
MAX_FREQUENCY_HZ = 5e9
# No chip hashes as slowly; a lower clock is in another unit, and which one is not told.
MIN_FREQUENCY_HZ = 1e7
MAX_WATTS = 50_000.0
MAX_UPTIME_S = 3e9
# Higher counters are false too; figures computed from them must stay finite and fit 64 bits.
MAX_COUNT = 1e15
MAX_DIFFICULTY = 1e18
# No unit has more hardware than this; a longer list is not a list of hardware.
MAX_BOARDS = 16
MAX_FANS = 16
MAX_SENSORS = 16
