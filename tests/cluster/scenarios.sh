# What a user does on a cluster that has Slurm and Apptainer and nothing of ours but images. Runs as
# an ordinary user in its home; every fact that the tests look at is a line NAME=VALUE in `facts`.
set -u
cd
export PATH=$PATH:/usr/sbin
fact() { printf '%s=%s\n' "$1" "$2" >>facts; }
rm -rf facts runs data slurm sif sweep clients; mkdir -p runs data slurm/state slurm/spool.n1 slurm/spool.n2 sif

# Definition files, from archives of the Docker images. Another compression would take minutes.
for service in orchestrator nest tvb translator; do
    if apptainer build --mksquashfs-args "-comp lz4" --build-arg bootstrap=docker-archive \
        --build-arg "from=$service.tar" "sif/$service.sif" "singularity/$service.def" \
        >"build-$service.log" 2>&1
    then fact "built_$service" yes; else fact "built_$service" "no: $(tail -n 3 "build-$service.log")"; fi
    from="${from:-} --build-arg $service=$service.tar"
done
if apptainer build --mksquashfs-args "-comp lz4" --build-arg bootstrap=docker-archive $from \
    sif/all.sif singularity/all.def >build-all.log 2>&1
then fact built_all yes; else fact built_all "no: $(tail -n 3 build-all.log)"; fi
rm -f ./*.tar
fact built_after_s $SECONDS
[ "$(ls sif | wc -l)" = 5 ] || exit 0
cosim="apptainer --silent exec sif/orchestrator.sif cosim"
small="--set adex.neurons=100 --set duration_ms=50"
two="--set resources.nest.ranks=2 --mpi openmpi"
long="--set adex.neurons=100 --set duration_ms=60000 $two"

left() { pgrep -u "$(id -u)" -af 'orchestrator|_service|translator|squashfuse' || true; }
keep() { # NAME: notes what became of a run
    fact "$1_outcome" "$(python3 -c "import json, sys; told = json.load(open(sys.argv[1])); print(
        told['outcome'], told['windows_done'], told['digest'], told['cause'], sep='|')" \
        "runs/$1/provenance.json" 2>&1 | tail -n 1)"
    fact "$1_files" "$(ls -A "runs/$1" 2>/dev/null | tr '\n' ' ')"
}

apptainer --silent run sif/all.sif run examples/quickstart.yaml $small \
    --set resources.nest.ranks=2 --out runs/alone >alone.log 2>&1
keep alone

# Instances of one node, each an agent or the server.
apptainer instance start --bind data:/data sif/orchestrator.sif orchestrator \
    --agents tcp://127.0.0.1:5560 >instances.log 2>&1
for service in nest tvb translator; do
    apptainer instance start --bind data:/data "sif/$service.sif" "$service" \
        --orchestrator tcp://127.0.0.1:5560 >>instances.log 2>&1
done
for _ in $(seq 150); do curl --silent --fail http://127.0.0.1:8642/healthz >/dev/null && break; sleep 0.2; done
said=$(COSIM_TOKEN=$(cat data/token) timeout 120 apptainer --silent exec instance://orchestrator \
    cosim remote run /opt/examples/quickstart.yaml $small 2>&1)
fact instances_digest "$(sed -n 's/^digest //p' <<<"$said")"
fact instances_said "$(tail -n 2 <<<"$said" | tr '\n' ' ')"
apptainer instance stop --all >>instances.log 2>&1
fact instances_left "$(left)"
fact instances_after_s $SECONDS

# Slurm with two nodes.
sed "s|{home}|$HOME|g; s|{user}|$(id -un)|g" cluster/slurm.conf >slurm/slurm.conf
cp /etc/slurm/cgroup.conf slurm/
export SLURM_CONF=$HOME/slurm/slurm.conf
slurmctld -i && slurmd -N n1 && slurmd -N n2
for _ in $(seq 100); do sinfo --noheader --partition main | grep -q ' 2 *idle' && break; sleep 0.2; done

state() { squeue --noheader --states=all --jobs="$1" --format='%T' | head -n 1; }
finish() { # JOB: waits until it has ended
    for _ in $(seq 400); do
        case $(state "$1") in PENDING | CONFIGURING | RUNNING | COMPLETING) sleep 0.3 ;; *) break ;; esac
    done
}
script() { # NAME OPTION...: writes the script of a run
    local name=$1; shift
    $cosim run "examples/quickstart.yaml" --launcher slurm --images sif --out "runs/$name" "$@" \
        --dry-run >"$name.sbatch" 2>"$name.err" || fact "${name}_script" "$(cat "$name.err")"
}
await_windows() { # NAME: waits until a run is under way
    for _ in $(seq 600); do grep -qs windows, "runs/$1.log" && return; sleep 0.2; done
}

script limit $long --time 2
sed -i 's/USR1@120/USR1@60/' limit.sbatch
limit=$(sbatch --parsable limit.sbatch)

script ranks $small $two --time 5 --interface lo --partition main
script nodes $small --time 5
mkdir "runs/it's \"one\" # \$HOME, 100%"
odd="it's \"one\" # \$HOME, 100%/a run"
$cosim run examples/quickstart.yaml --launcher slurm --images sif --mpi openmpi --time 5 $small \
    --set 'name="a b; $(touch pwned) 100% # x"' --out "runs/$odd" --dry-run >odd.sbatch
for name in ranks nodes odd; do
    job=$(sbatch --parsable "$name.sbatch")
    finish "$job"
    fact "${name}_state" "$(state "$job")"
    [ "$name" = odd ] && { fact odd_name "$(squeue -h -t all -j "$job" -o %j)"; mv "runs/$odd" runs/odd; }
    keep "$name"
done
fact pwned "$(find . -name pwned)"

# A sweep as a job array, by the image's `cosim` and the node's Slurm. The node's programs run in the
# image by the node's own loader and libraries, and as if they had been called outside.
mkdir clients
for program in sbatch squeue scancel; do
    cat >clients/$program <<'END'
#!/bin/sh
exec env -i HOME="$HOME" USER="$USER" PATH=/usr/bin:/bin SLURM_CONF="$SLURM_CONF" \
    /host/lib64/ld-linux-x86-64.so.2 --library-path /host/usr/lib/x86_64-linux-gnu \
    "/host/usr/bin/${0##*/}" "$@"
END
    chmod +x clients/$program
done
sweep() {
    APPTAINERENV_PREPEND_PATH=$HOME/clients apptainer --silent exec --bind /:/host \
        --bind /usr/lib/x86_64-linux-gnu/slurm-wlm --bind /run/munge sif/orchestrator.sif \
        cosim sweep cluster/sweep.yaml --out sweep --launcher slurm --images sif --time 5 --at-once 3
}
done_points() { ls sweep/points/*/provenance.json 2>/dev/null | wc -l; }
sweep >sweep1.log 2>&1 &
for _ in $(seq 900); do [ "$(done_points)" -ge 4 ] && break; sleep 0.2; done
fact sweep_before "$(done_points)"
# Killed while elements run, of which Slurm then starts the rest by itself.
pkill -KILL -u "$(id -u)" -f 'cosim sweep'; wait
sweep >sweep2.log 2>&1; fact sweep_code $?
fact sweep_said "$(tail -n 6 sweep1.log sweep2.log | tr '\n' ' ')"
fact sweep_elements "$(ls sweep/logs | wc -l)"
fact sweep_table "$(python3 -c 'import csv
rows = list(csv.DictReader(open("sweep/table.csv")))
base = [row["digest"] for row in rows
        if (float(row["adex.external_hz"]), float(row["adex.excitatory.b_pA"])) == (0.8, 20)]
print(len(rows), len({row["digest"] for row in rows}), *{row["outcome"] for row in rows}, *base)')"
fact sweep_after_s $SECONDS

script killed $long --time 5
job=$(sbatch --parsable killed.sbatch); await_windows killed
for pid in $(pgrep -f 'nest_service worker.*--run killed'); do
    tr '\0' '\n' <"/proc/$pid/environ" | grep -q '^OMPI_COMM_WORLD_RANK=1$' && kill -KILL "$pid"
done
finish "$job"; fact killed_state "$(state "$job")"; keep killed

script cancelled $long --time 5
job=$(sbatch --parsable cancelled.sbatch); await_windows cancelled
scancel "$job"; finish "$job"; fact cancelled_state "$(state "$job")"
# What mounts the images ends at once, and with it the orchestrator; the journals are there.
$cosim report runs/cancelled >report.log 2>&1; keep cancelled

script asked $long --time 5
job=$(sbatch --parsable asked.sbatch); await_windows asked
scancel --batch --signal=TERM "$job"; finish "$job"; fact asked_state "$(state "$job")"; keep asked

script never $small --time 5 --partition closed
job=$(sbatch --parsable never.sbatch)
sleep 1; fact never_reason "$(squeue --noheader --jobs="$job" --format=%r | head -n 1)"
scancel "$job"; finish "$job"; fact never_state "$(state "$job")"; keep never

finish "$limit"; fact limit_state "$(state "$limit")"; keep limit
for _ in $(seq 50); do [ -z "$(left)" ] && break; sleep 0.2; done
fact left "$(left)"
fact folders "$(ls -d /tmp/cosim-???????? 2>/dev/null)"
fact ended_after_s $SECONDS
for file in slurm/*.pid; do kill "$(cat "$file")"; done
