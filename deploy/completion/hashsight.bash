# Made by `python -m agent.commands.generated --write` from the command tree.
_hashsight() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path= each
    COMPREPLY=()
    for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$path $each" in
            " init" | " run" | " check" | " once" | " top" | " read" | " record" | " scan" | " verify" | " listen" | " metrics" | " rules" | " demo" | " statement" | " history" | " history export" | " history merge" | " history verify" | " history seal" | " ledger" | " ledger show" | " ledger export" | " ledger diff" | " ledger verify" | " ledger check" | " ledger set" | " ledger import" | " pools" | " pools credited" | " pools show" | " pools suggest" | " fleet" | " mqtt" | " mqtt check" | " mqtt tail" | " curtail" | " curtail start" | " curtail stop" | " curtail list" | " doctor") path="$path $each" ;;
        esac
    done
    case "$path $before" in
        " init --name")
            return ;;
        " init --zone")
            return ;;
        " init --network")
            return ;;
        " init --range")
            return ;;
        " init --place")
            return ;;
        " init --logins")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " init --port")
            return ;;
        " init --web-port")
            return ;;
        " run --config" | " run -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " run --web.config.file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " check --config" | " check -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " once --config" | " once -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " top --config" | " top -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " top --url")
            return ;;
        " top --token-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " top --ca-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " top --every")
            return ;;
        " top --sort")
            COMPREPLY=($(compgen -W "worst shortfall place since hashrate celsius unit" -- "$word"))
            return ;;
        " top --container")
            return ;;
        " top --owner")
            return ;;
        " top --cause")
            return ;;
        " top --state")
            return ;;
        " top --text")
            return ;;
        " read --config" | " read -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " read --timeout")
            return ;;
        " record --config" | " record -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " record --for")
            return ;;
        " record --every")
            return ;;
        " record --through")
            COMPREPLY=($(compgen -W "boot ramp hashing sleep fault off" -- "$word"))
            return ;;
        " record --out" | " record -o")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " record --logins")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " record --user")
            return ;;
        " record --password-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " record --web-port")
            return ;;
        " record --timeout")
            return ;;
        " record --keep")
            return ;;
        " record --finish")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " scan --exclude")
            return ;;
        " scan --config" | " scan -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " scan --logins")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " scan --place")
            return ;;
        " scan --port")
            return ;;
        " scan --web-port")
            return ;;
        " scan --rate")
            return ;;
        " scan --out")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " verify --against")
            return ;;
        " verify --polls")
            return ;;
        " verify --every")
            return ;;
        " verify --config" | " verify -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " verify --timeout")
            return ;;
        " listen --rack")
            return ;;
        " listen --container")
            return ;;
        " listen --from")
            return ;;
        " listen --to")
            return ;;
        " listen --out")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " listen --bind")
            return ;;
        " rules --grafana")
            return ;;
        " rules --runbooks")
            return ;;
        " rules --output" | " rules -o")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " demo --units")
            return ;;
        " demo --interval")
            return ;;
        " demo --listen")
            return ;;
        " demo --seed")
            return ;;
        " demo --seconds")
            return ;;
        " statement --config" | " statement -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " statement --history")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " statement --format")
            return ;;
        " statement --verify")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " statement --rows")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " statement --chain")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " statement --key")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " statement --sites")
            return ;;
        " statement --restates")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " statement --appendix")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " statement --acknowledge")
            return ;;
        " statement --owner")
            return ;;
        " history export --config" | " history export -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history export --history")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history export --from")
            return ;;
        " history export --to")
            return ;;
        " history export --what")
            return ;;
        " history merge --into")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history verify --config" | " history verify -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history verify --history")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history verify --key")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history verify --heads")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history verify --head")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history verify --witness")
            return ;;
        " history seal --config" | " history seal -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history seal --history")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history seal --into")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history seal --rfc3161")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history seal --add")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " history seal --note")
            return ;;
        " ledger show --config" | " ledger show -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " ledger show --at")
            return ;;
        " ledger show --format")
            COMPREPLY=($(compgen -W "table csv json" -- "$word"))
            return ;;
        " ledger export --config" | " ledger export -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " ledger export --format")
            COMPREPLY=($(compgen -W "xlsx netbox file-sd" -- "$word"))
            return ;;
        " ledger export --at")
            return ;;
        " ledger export --role")
            return ;;
        " ledger diff --config" | " ledger diff -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " ledger diff --from")
            return ;;
        " ledger diff --to")
            return ;;
        " ledger verify --config" | " ledger verify -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " ledger check --config" | " ledger check -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " ledger set --config" | " ledger set -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " ledger set --at")
            return ;;
        " ledger set --host")
            return ;;
        " ledger set --web-port")
            return ;;
        " ledger set --container")
            return ;;
        " ledger set --rack")
            return ;;
        " ledger set --slot")
            return ;;
        " ledger set --status")
            return ;;
        " ledger set --model")
            return ;;
        " ledger set --hashrate-th")
            return ;;
        " ledger set --serial")
            return ;;
        " ledger set --mac")
            return ;;
        " ledger set --simulated")
            return ;;
        " ledger set --reader")
            return ;;
        " ledger set --make")
            return ;;
        " ledger set --power-w")
            return ;;
        " ledger set --boards")
            return ;;
        " ledger set --chips-per-board")
            return ;;
        " ledger set --owner")
            return ;;
        " ledger import --config" | " ledger import -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " ledger import --at")
            return ;;
        " ledger import --kind")
            COMPREPLY=($(compgen -W "new moved exchanged model identity unreadable gone" -- "$word"))
            return ;;
        " ledger import --place")
            return ;;
        " pools credited --config" | " pools credited -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " pools show --config" | " pools show -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " pools show --url")
            return ;;
        " pools show --token-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " pools show --ca-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " pools suggest --config" | " pools suggest -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " fleet --sites" | " fleet -s")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " fleet --web.config.file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " mqtt check --config" | " mqtt check -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " mqtt check --broker")
            return ;;
        " mqtt tail --config" | " mqtt tail -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " mqtt tail --broker")
            return ;;
        " mqtt tail --username")
            return ;;
        " mqtt tail --password-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " mqtt tail --seconds")
            return ;;
        " curtail start --config" | " curtail start -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " curtail start --url")
            return ;;
        " curtail start --token-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " curtail start --ca-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " curtail start --target")
            return ;;
        " curtail start --container")
            return ;;
        " curtail start --rack")
            return ;;
        " curtail start --model")
            return ;;
        " curtail start --unit")
            return ;;
        " curtail start --start")
            return ;;
        " curtail start --end")
            return ;;
        " curtail start --for")
            return ;;
        " curtail start --source")
            return ;;
        " curtail start --id")
            return ;;
        " curtail stop --config" | " curtail stop -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " curtail stop --url")
            return ;;
        " curtail stop --token-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " curtail stop --ca-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " curtail list --config" | " curtail list -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " curtail list --url")
            return ;;
        " curtail list --token-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " curtail list --ca-file")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " doctor --config" | " doctor -c")
            COMPREPLY=($(compgen -f -- "$word"))
            return ;;
        " doctor --prometheus")
            return ;;
    esac
    local words= has_files=
    case "$path" in
        "")
            [[ $word == -* ]] && words="--version -h --help" || words="init run check once top read record scan verify listen metrics rules demo statement history ledger pools fleet mqtt curtail doctor"
            ;;
        " init")
            [[ $word == -* ]] && words="--name --zone --network --range --place --logins --port --web-port --scan --no-scan --resume --service -h --help" || words=""
            has_files=1
            ;;
        " run")
            [[ $word == -* ]] && words="--config -c --web.config.file -h --help" || words=""
            ;;
        " check")
            [[ $word == -* ]] && words="--config -c --show --json -h --help" || words=""
            ;;
        " once")
            [[ $word == -* ]] && words="--config -c --json --all -h --help" || words=""
            ;;
        " top")
            [[ $word == -* ]] && words="--config -c --url --token-file --ca-file --direct --every --sort --container --owner --cause --state --text --once --json -h --help" || words=""
            ;;
        " read")
            [[ $word == -* ]] && words="--config -c --any-address --json --raw --timeout -h --help" || words=""
            ;;
        " record")
            [[ $word == -* ]] && words="--config -c --for --every --through --out -o --logins --user --password-file --web-port --timeout --any-address --keep --redact --no-redact --yes -y --finish --json -h --help" || words=""
            ;;
        " scan")
            [[ $word == -* ]] && words="--exclude --config -c --logins --pages --no-pages --place --port --web-port --rate --deep --any-address --out --resume --all --pool-users --json -h --help" || words=""
            ;;
        " verify")
            [[ $word == -* ]] && words="--against --polls --every --config -c --any-address --timeout --all --json -h --help" || words=""
            ;;
        " listen")
            [[ $word == -* ]] && words="--rack --container --from --to --out --undo --bind --json -h --help" || words=""
            ;;
        " metrics")
            [[ $word == -* ]] && words="--json -h --help" || words=""
            ;;
        " rules")
            [[ $word == -* ]] && words="--grafana --runbooks --output -o --local --json -h --help" || words=""
            ;;
        " demo")
            [[ $word == -* ]] && words="--units --interval --listen --seed --seconds --json -h --help" || words=""
            ;;
        " statement")
            [[ $word == -* ]] && words="--config -c --history --format --json --verify --rows --chain --key --publish --combine --sites --restates --appendix --acknowledge --owner -h --help" || words=""
            ;;
        " history")
            [[ $word == -* ]] && words="-h --help" || words="export merge verify seal"
            ;;
        " history export")
            [[ $word == -* ]] && words="--config -c --history --from --to --what --json -h --help" || words=""
            ;;
        " history merge")
            [[ $word == -* ]] && words="--into --json -h --help" || words=""
            has_files=1
            ;;
        " history verify")
            [[ $word == -* ]] && words="--config -c --history --key --heads --head --witness --json -h --help" || words=""
            ;;
        " history seal")
            [[ $word == -* ]] && words="--config -c --history --into --rfc3161 --add --note -h --help" || words=""
            ;;
        " ledger")
            [[ $word == -* ]] && words="-h --help" || words="show export diff verify check set import"
            ;;
        " ledger show")
            [[ $word == -* ]] && words="--config -c --at --format --json -h --help" || words=""
            ;;
        " ledger export")
            [[ $word == -* ]] && words="--config -c --format --at --role -h --help" || words=""
            has_files=1
            ;;
        " ledger diff")
            [[ $word == -* ]] && words="--config -c --from --to --json -h --help" || words=""
            has_files=1
            ;;
        " ledger verify")
            [[ $word == -* ]] && words="--config -c --json -h --help" || words=""
            ;;
        " ledger check")
            [[ $word == -* ]] && words="--config -c --json -h --help" || words=""
            ;;
        " ledger set")
            [[ $word == -* ]] && words="--config -c --at --host --web-port --container --rack --slot --status --model --hashrate-th --serial --mac --simulated --reader --make --power-w --boards --chips-per-board --owner --new --removed --swap --dry-run --json -h --help" || words=""
            ;;
        " ledger import")
            [[ $word == -* ]] && words="--config -c --at --kind --place --guessed --dry-run --json -h --help" || words=""
            has_files=1
            ;;
        " pools")
            [[ $word == -* ]] && words="-h --help" || words="credited show suggest"
            ;;
        " pools credited")
            [[ $word == -* ]] && words="--config -c --json -h --help" || words=""
            ;;
        " pools show")
            [[ $word == -* ]] && words="--config -c --url --token-file --ca-file --read --json -h --help" || words=""
            ;;
        " pools suggest")
            [[ $word == -* ]] && words="--config -c --json -h --help" || words=""
            ;;
        " fleet")
            [[ $word == -* ]] && words="--sites -s --web.config.file --check --once --json -h --help" || words=""
            ;;
        " mqtt")
            [[ $word == -* ]] && words="-h --help" || words="check tail"
            ;;
        " mqtt check")
            [[ $word == -* ]] && words="--config -c --broker --json -h --help" || words=""
            ;;
        " mqtt tail")
            [[ $word == -* ]] && words="--config -c --broker --username --password-file --raw --seconds --json -h --help" || words=""
            ;;
        " curtail")
            [[ $word == -* ]] && words="-h --help" || words="start stop list"
            ;;
        " curtail start")
            [[ $word == -* ]] && words="--config -c --url --token-file --ca-file --target --container --rack --model --unit --start --end --for --source --id --json -h --help" || words=""
            ;;
        " curtail stop")
            [[ $word == -* ]] && words="--config -c --url --token-file --ca-file --all --json -h --help" || words=""
            ;;
        " curtail list")
            [[ $word == -* ]] && words="--config -c --url --token-file --ca-file --json -h --help" || words=""
            ;;
        " doctor")
            [[ $word == -* ]] && words="--config -c --units --prometheus --json -h --help" || words=""
            ;;
    esac
    [ -z "$words" ] || COMPREPLY=($(compgen -W "$words" -- "$word"))
    [ ${#COMPREPLY[@]} -gt 0 ] || [[ $word == -* ]] || [ -z "$has_files" ] || COMPREPLY=($(compgen -f -- "$word"))
}
complete -o filenames -F _hashsight hashsight
