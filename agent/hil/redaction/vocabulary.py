"""Words, hosts and endings of host names that tell nothing about a site.

Words come from the keys and texts of the public captures in `tests/captures` and `tests/web_captures`, from the
command and field names in `docs/antminer-api.md`, from public replies of other makes and firmware, and from the
English of the trade, so that names of new fields are mostly kept. Left out on purpose: given names, and words that
people put into names of sites, networks and workers (home, farm, office, rig, test).
"""

from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


# Numbered or joined, these name a machine or place of the owner: `worker1` is not kept, `fan1` is.
NEVER_NUMBERED: Final = _set(
    """account accounts address host hostname hosts login machine machines miner miners network networks owner pass
    passwd password passwords site stock subaccount subaccounts unit units user username usernames users wallet
    wifi worker workers zone zones"""
)
# Words of field names that would tell something as a value.
KEY_WORDS: Final = _set("axis bank container farm lsdiff lstime rack rig site sites solo test testing tests")
# Hosts of public pools, firmware makers and standards bodies, with all hosts below them.
# From tests/captures, other public captures, and the pools' own API documentation.
KNOWN_HOSTS: Final = _set(
    """antpool.com bitmain.com braiins.com btc.com f2pool.com foundryusapool.com luxor.tech ocean.xyz sbicrypto.com
    slushpool.com spiderpool.com viabtc.com viabtc.io viabtc.net w3.org zergpool.com localhost"""
)
# Labels below a known host: regions, algorithms and services.
KNOWN_LABELS: Final = _set(
    """api app asia au bos btc btc1 btc2 btc3 ca cn de docs eu fr global jp kr lb mine na nl pool ru sg sha256 solo ss
    stratum stratum2 uk us v1 v2 v3 west east www"""
)
# The last labels of host names, which a pseudonym keeps. Country codes are not among them: they tell where a site is.
ENDINGS: Final = _set(
    "app arpa biz cloud com dev example home internal info invalid io lan local localdomain net org pool tech xyz"
)
SCHEMES: Final = _set("ftp http https mqtt mqtts ssl stratum stratum1 stratum2 tcp tcps tls udp v1 v2 ws wss")
WORDS: Final = _set(
    """ab
    aarch64 absent absolute absolutely ac accept accepted access account accounts accumulated acknowledge acn acs act
activate activation active actual actually adapter adaptive adc add addr address adj adjusting after aging air
aircooling alarm alarms alert algo algorithm alive all allow allowed allwinner also altera alternate altitude amb
ambient amcb aml amlctrl amlogic amount amp amperage amperes an analog and angle animation anode anomaly another
ansicboost answer answered ant anthill antminer any apache api apiswitch apm app apparent approve approx approximate
approximated apr april architecture archive are arm armv7 armv7l array as asc ascset asic asicboost asiccrc asicid
asicseer ask asked asleep assets assign at ata atabd ataopts atm attached attempt attempts attention aug august
auradine auth authenticate authentication auto autochange autofanspeed automatic automatically autotuner autotunerget
autotuning available avalon avalonminer average avg awake back backends backup bad balance balanced bandwidth baseline
basic battery baud bbctrl bcast bch bchips bdminer be beaglebone bearer before begin behavior below best bestshare
between bin binary binfo binv binve bios bitaxe bitcoin bitdeer bitmain blake blink block blocks blue bmm bmminer bms
boa board boards boco body boolean boost boosted boot bootby booting bootup bos boser bosminer both bottleneck bottom
braiins brand break breaker brief bringup broadcast broken bst bsv bt btc btm btmineroff buf buffer bug build
buildroot burn burnin bus busybox but button bver bversion by bypass bytes cache caliall calibrate calibrated
calibration call called calls came can canaan cancel canceled cap capacitor capacity captures carrier category cause
cb cc ccdelay ceiling celsius center central certificate cest cet cfg cgi cgm cgminer cgversion chain chains changed
channel charge charset chart chassis check checking checks checksum child chiller chip chipdata chips chiptune chunked
circuit circulation clean cleared client clk clks clock clocks close closed cloud cluster cmd cminer cmos cnt coarse
code codes coin coins cold collect color column com comcrc come comes command comp compared compatibility compatible
compensation compile compiled complete components compress compute condenser condition conditions conf config configs
configuration confirm confirmations confirmed congestion connected connecting connection connector consecutive console
constant consts consumer consumption content context continue control controller conversely convert converter cookie
coolant cooler cooling coordinates cop copy core cores corrected correction corrupt cost could count counter counters
counts coupled cpb cpu cpufreq crash crashed crc created critical crossorigin crtl css cst csv ctl ctrl cur curr
currency current currents curtail curtailed curve custom cut cutoff cv cvctrl cvitek cycle cycles dac dag daily
damaged dangerous dark dash data database datas date day db dc de deactivated dead debug dec december decimal decoder
decrease decred deed default defaults deferred defined deflate degraded degree degrees del delay deleted delivered
delta denied density deployed derate derating desc described description desired detail details detect detected
detection dev devdetails development devfee deviation device devs devsb dh dhcp dhspd dhw diagnostic diagnostics did
diff diffa difficulty diffr diffs digest diode direct direction dirty disable disabled disabling discarded disconnect
disconnected discovered discovery display dissipation distribution div dna dns dnsservers do doc docs doctype
documentation does doesn dog dogecoin doing dom domain domains donation done double down downscale dpm drift driver
drop dropbear dropped drv dsp dtd due dupelicate dupes duplicate duration during dust duty dynamic each eaglesong
ebang ecc echu ecmm eco ecomode ed edevs edge edt ee eeprom eff effective efficiency efficient eh ehs eighth eighty
either ejected elapsed electric element eleven elphapex else em email emergency empty en enable enabled enclosure
encoding end energy engine enough entries entry enum environment epic epoch equal equihash equipment equiv erase
erased err error errors est estimate estimated estimator etag etc etcd eth ethash ethernet evaluate even event events
eventstroubleshooting eventually every exceeded exceeding exception execute exhaust exhausted exists exit exp expected
experiment experimental expire expired expires export ext extended extra faclock facopts factory fahrenheit failed
failover fails failure failures fallback false fan fanctrl fanless fanmcuversion fanr fanrpm fans fanspeed fast faster
fatal fault faulty favicon fcm feature features feb february fee feed feedback fet fetch fetched few fft field fifteen
fifth file filesystem filter filtered final find finds fine finish finished firmware firmwares first fix fixtures flag
flags flash flipscreen floor flow fluid fluminer flushed flux fms footer for forbidden force forced foreign form
format forward found foundry fourth fpc fpga fraction frame frames fre free freq freqavg freqs frequency frequently
fri friday from frozen fs ft ftp full fully functional fuse fw fwversion gain gap gateway gauge gave gb gc gen general
generated generation generator get gets getting getwork getworks gh ghs ghsmm ghz gigahash give given glitch global
globals gmt gnu go goahead goes going goldshell good got governor gpio gpu gray green grey grid ground group groups
gzip h1 h2 h3 had half halt handle happens hardware has hash hashboard hashboards hashchain hashchip hashes hashing
hashprice hashrate hashs have hb hb0 hbitemp hbmcuversion hbotemp head header health healthchipget healthy heap
heartbeat heat heated heater height help hertz hex hi hibernate high higher highest him hint history hit hiveon hiveos
hold host hostname hosts hot hotplug hotspot hour hourly hours how hr href hs hsh hsn hsp hspd html html4 http httpd
httponly https hub humidity hundred hw hwp hwtype hwversion hyd hydraulic hydro hydrocooled hysteresis hz i2c ibelink
iceriver ico icon id idc ideal ident identify identity idf idle idx if ignore ii iii iin iio image imm immediate
immersion import improve improved impulse in ina inactive inc include incorrect increase increment ind index indicator
individual individually inductor inf infinity info ini init initial initialize initialized initializing inlet inner
innosilicon input insert inserted install installed instance instant insufficient int int32 int64 intake integrity
intensity intercept interface internal interrupt interrupted interval into invalid inverter invertfanpolarity
invertscreen io iout ip ipaddress ipreport iptables irq is iso isolated issue it item itemp iteration its itself iv
ivr jan january jasminer java javascript join joule joules jpg jpro js json jt jtag jul july jun junction june just
kaonsu kaspa kb kbs keep kernel key kheavyhash khs khz kilo kilowatt known kv kw kwh label lamp lan lang large last
lastest late latency latin1 lax layer layout lcd leak leakage lease least led leds ledstat ledstatus left len length
less let level lib license light lighttpd like lim limit limited limiter limits line linear lines link linux liquid
list listen listener litecoin live lm lmt lo load loaded loading local locale locate location locked log login logon
logs long look lookup loop loose loss lost low lower lowercase lowering lowest lowpower lp ltc luck luxminer luxor
luxos lv lver lversion lvl lw ma mac macaddr machine machines made mail main mains maintain maintenance major make
makes management manager manifest manual many mapping mar mara marafw march margin marginal mask master match matching
max may maybe mb mcr mcu md md5 me mean measure measured media mega megahash megahertz mem memfree memory merged
merkle message meta metadata metering method mghs mh mhs mhz micro microbt mid middle midstate might milli min miner
mineroff miners minerstat minertype mini minimum mining minor minus minutes misc mismatch missed missing mix mixed mm
mm3v2 mm4v1 mod modded mode model modes modified module moment mon monday mongoose monitor monitoring more mounted
moved mpo mqtt mrr ms msg mtavg mtd mtmax much must mute mv mvl mw name nameplate names nan nand nanos native nav near
need needed needs neg negative nervos net netdevice netfail netmask nettype network networks neutral never new next
nginx nic nil no node noise nomal nominal non nonce nonces none nonstop nopic normal normalized noscript nosniff
nostart not note notice notification notify nov november now nr nth ntp nul null num number numbers numeric nuvoton
observed observer oc occurred oct october of off offgrid offline offset offside often oil ok old on once one online
only onoff op opaque open opencore openssl openwrt operate operating operation operational operations operator opt
optimal optimized optimizer optimizing optimum option options or orange order ordered ordinary origin os osc oth other
otp out outage outer outlet output over overall overclock overclocked overcurrent overdrive overheat overload
overloaded override overrides overtemp overtemperature overview overvoltage own owner pack packet packets pad page
pages pagination paid pane panel par parallel param parameter parameters params parent parity parse part partial
partition pass passwd password passwords paste patch path patterns pause paused payout pcb pcbs pcbsn pcomm pcs pct
pdt peak pending per percent percentage performance permanent permanently permission perpetual perpetually pfc pg ph
phase phases phb phs pic pid piece pin ping pipe pitbit pl plan plate platform play please pll plugin plus pm pmu png
pointer policy poll pool pools pop port pos position positive possible post potential pout pow power powered powering
poweroff powerplay powertargetmodestate pows ppm pre predicted preempt preheat preheating prepare prepared present
preset presets press pressure pretty prev previous price primary print priority privileged pro probability probe
probing problem process processed processor prod profile profiles profit progress prohibited prompt properly property
proplus protected protection proto protocol provide provided providing proxy ps psi pst psu public pulse pump pumps
purge push put pvt pwm pwr pwth qop quality query querystring queue queued quick quiet quota radiator rail raise ram
ramp rampdown ramped ramping rampup random randomx ranges ranked rapid ras rate rated rateideal rather rating ratio
raw re reached reaches reactive read readings readme ready real realm realtime reason reasons reboot rebooted
rebooting rec receive received recent recommended reconnect reconnecting record records recovery rectifier recv red
reduce reduced reduction redundant ref reference referer refresh refused reg regional register regulator reinit rej
reject rejected rejecting rel relative relay release reliability reload rem remain remaining remote remove renew
repeat repeated repeater replace reply report reported reporter reporting req request requested requests required res
reserved reset resistance resistor resolve resource resources response responses restart restarted restarting restore
restored result resume resumed ret retired retries retry return returned rev revenue reverse revision reward right
rise ro rockchip role roll rolling rom root rotate round router routine rows rpc rpm rssi rt rtc rule rules run
running runtime rwglr rx safe safety said sale sales salt same sameorigin samesite sample sampled samples sat saturday
saved savg saw say says scale scaled scaling scan scanner schedule scheduled scheme sci score scoring script scrypt sd
se seal sealminer searchfailed sec second seconds section sector security see seen sees segment select selected self
send sending sens sensor sensors sent sep sept september seq sequence ser serial series serinum serve server servers
service services session set setting settings severe severity sf0 sf1 sf2 sf3 sftp sha sha256 sha256d shape share
shared shares shift short shortcut shot should show shown shows shut shutdown shutting siacoin sick side sig sign
signal significantly silent similar since single size sizes skip skipped sku slave sleep sleeping slope slot slow
slower slowly small smart sminer smooth smp sn snap snmp snr so soc socket soft softoff softon software solutions
solver solvers som some soon sorry sound source span spare spd specified speed speeds spi spike spread squeeze src ss
ssd ssh ssid ssl sspd sta stability stable stage stale standard standby start started starting startup state static
station stats status statuses std steady step stepping sticker still stm stock stop stopped stopping storage str
strategy stratum strict string strong style stylesheet sub subaccount subaccounts submitted subnet subsystem subtype
succeeded success such suggested suggestion sum summary sun sunday sup supplied supply support sure surge suspended
sustained sw sweep switch switched switcher swtype swversion synced synchronize synchronized sys syslog system
systemstatu t0 t1 t2 t3 ta table tachometer tag take taken target targets tart task tasks taurus tavg tbody tcp tec
tech tek tell telnet temp tempctrl temperature temperatures temporarily temporary temps tenperature terahash terminal
terminated text tft th than that thd the thead them theme then there thermal thermistor these they third this those
thr thread threads threshold throttle throttled throttles throttling through ths thttpd thu thursday tic tick ticket
tides tighten tim time timeout timer times timestamp timezone timezones title tls tmax tmp to today tolerance toml too
top topol torque tot total totals touch tpl tr trace tracker traffic trans transfer transition transitional transmit
transport tree tri trigger triggered trip tripped true truncated try trying ts tue tuesday tun tune tuned tuner
tunerstatus tunes tuning turbine turbo turn turned twelve tx type types ua uah uart udp uhttpd ui uid uim uint
umc unactive unauthorized unavailable unbalanced undefined under underclock undervoltage unexpected unhealthy
uninitialized unique unit units unix unknow unknown unlimited unlock unlocked unpaid unplugged unreachable unreadable
unstable unsupported until untuned unused up upd update updated updates updating upfreq upgrade upload upper uppercase
upt uptime urgent uri url us usage usb use used user username usernames users uses using usr usually utc utf utf8
utility utilization uuid va val valid validation value values valve var variable variance variant vary vcc vdd vendor
vent ver verified verify version versions very vfd via view viewer viewport vil vin violation virtual vmask vnish
vnishus vo vol volcminer volt voltage volts volume vout vrm vs w3c wait waiting wake wakeup waking wallet want warm
warming warmup warn warning warranty was wat watch watchdog water watercooling watt wattage watts way wdt weak web
webmanifest wed wednesday weight went were wh what whatsminer whatsminers wheel when where which while who whole why
wide width wifi will win window wire with within without wlan work worker workers working worklevel workmode works
would write wrong ws wss wth wu www x11 xfer xhtml xilctrl xilinx xm xminer xml xmlns xor xp xtal xtime yellow yes
yesterday yet yield zcash zec zero zeroed zone zones zynq
"""
)
