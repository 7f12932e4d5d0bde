#!/usr/bin/env bash
# A trial cluster on this machine, from the files of this folder: nodes `one`, `two`, `three` (etcd, Patroni, PostgreSQL)
# on 127.x.y.1 to 127.x.y.3, HAProxy on 127.x.y.10, and a database for Jeton. It runs until it is interrupted.
#
#     trial.sh FOLDER
#
# FOLDER is empty. When the cluster is ready, FOLDER/jeton.env has database.url. FOLDER/patronictl administers the
# cluster, FOLDER/NODE has data, logs and patroni.pid of a node, and FOLDER/start NODE starts a Patroni that was killed.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
folder=$(realpath "${1:?an empty folder}")
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root.
    chown postgres: "$folder"
    exec setpriv --reuid=postgres --regid=postgres --clear-groups bash "$here/trial.sh" "$folder"
fi
cd "$folder"
[ -z "$(ls -A)" ] || { echo "$folder is not empty" >&2; exit 2; }
umask 077
# Any loopback address will do; one is chosen so that several trials do not meet.
network=127.$((RANDOM % 254 + 1)).$((RANDOM % 254 + 1))
export PATH="$PATH:/usr/sbin"
for program in etcd patroni haproxy psql; do
    command -v "$program" > /dev/null || { echo "$program is missing: see docs/operations/failover.md" >&2; exit 2; }
done
binaries=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }
rest=$(secret) superuser=$(secret) replication=$(secret) password=$(secret)

# Print a file of this folder as node NAME needs it, which has this number.
of_node() { # FILE NAME NUMBER
    sed -e "s/NAME=one/NAME=$2/" -e "/_HOSTS=\|_CLUSTER=/!s/10\.0\.0\.1/10.0.0.$3/" -e "s/10\.0\.0\./$network./g" \
        -e "s#/usr/lib/postgresql/15/bin#$binaries#" -e "s#=/var/lib/#=$folder/$2/#" \
        -e "s/REPLACE_1/$rest/; s/REPLACE_2/$superuser/; s/REPLACE_3/$replication/" "$here/$1"
}

cat > start << END
#!/bin/sh
# Start the Patroni of a node.
[ "\$(id -u)" != 0 ] || exec setpriv --reuid=postgres --regid=postgres --clear-groups "$folder/start" "\$1"
cd "$folder"
set -a; . "$folder/\$1/patroni_env.conf"; set +a
echo \$\$ > "$folder/\$1/patroni.pid"
exec patroni "$here/config.yml" >> "$folder/\$1/patroni.log" 2>&1
END
cat > patronictl << END
#!/bin/sh
set -a; . "$folder/one/patroni_env.conf"; set +a
exec patronictl -c "$here/config.yml" "\$@"
END
chmod +x start patronictl

# Patroni stops its PostgreSQL when it ends, and needs etcd for that.
stop() {
    trap - EXIT
    kill $(cat ./*/patroni.pid) || true
    for pid in $(cat ./*/patroni.pid); do timeout 60 tail --pid="$pid" -f /dev/null || true; done
    kill -QUIT $(head -qn 1 ./*/postgresql/jeton/postmaster.pid) || true
    kill $(jobs -p) || true
    wait
} 2> /dev/null
trap stop EXIT
trap 'exit 0' INT TERM
number=0
for node in one two three; do
    mkdir -p "$node/postgresql"
    number=$((number + 1))
    of_node patroni_env.conf "$node" "$number" > "$node/patroni_env.conf"
    of_node etcd "$node" "$number" > "$node/etcd.env"
    (set -a; . "./$node/etcd.env"; exec etcd > "$node/etcd.log" 2>&1) &
    ./start "$node" &
done
sed -e "s/10\.0\.0\./$network./; s/127\.0\.0\.1:5000/$network.10:5000/" "$here/haproxy.cfg" > haproxy.cfg
haproxy -q -f haproxy.cfg &

is_ready() {
    ./patronictl list |
        awk '/Sync Standby/ { synchronous = 1 } /running|streaming/ { nodes++ } END { exit !(synchronous && nodes == 3) }'
}
create_database() {
    PGPASSWORD=$superuser psql -q -v ON_ERROR_STOP=1 -h "$network.10" -p 5000 -U postgres postgres << END
CREATE ROLE jeton LOGIN PASSWORD '$password';
CREATE DATABASE jeton OWNER jeton ENCODING 'UTF8' TEMPLATE template0;
END
}
try() { for _ in $(seq 600); do "$@" > /dev/null 2>&1 && return; sleep 0.2; done; echo "failed: $*, see $folder" >&2; return 1; }
try is_ready
try create_database
echo "JETON_DATABASE__URL=postgresql://jeton:$password@$network.10:5000/jeton" > jeton.env
echo "The cluster is ready: $folder/jeton.env"
# Bash would report each process that is killed.
exec 2> /dev/null
wait
