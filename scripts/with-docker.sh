#!/usr/bin/env bash
# Runs a command, such as make test, with Kafka, ClickHouse and PostgreSQL in
# Docker, of the versions in docker-compose.yml, empty and on loopback only:
#
#   ./scripts/with-docker.sh make test
#
# They are removed when it ends, however it ends. Tests that kill a server start
# one of their own, and say so where they cannot.
set -euo pipefail
[ $# -gt 0 ] || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; }
cd "$(dirname "$0")/.."
name=redalert-test-$$

image() { # of a service
  awk -v want="  $1:" '$0 == want {on = 1} on && $1 == "image:" {print $2; exit}' docker-compose.yml
}

free_port() { # a loopback port that nothing listens on just now
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# await SERVICE COMMAND...: until the command succeeds inside, at most two minutes.
await() {
  local service=$1
  shift
  for _ in $(seq 120); do
    if docker exec "$name-$service" "$@" >/dev/null 2>&1; then return; fi
    sleep 1
  done
  docker logs --tail 30 "$name-$service" >&2
  echo "$service does not answer after two minutes" >&2
  return 1
}

trap 'docker rm -f -v "$name-kafka" "$name-clickhouse" "$name-postgres" >/dev/null 2>&1 || true' EXIT

kafka=$(free_port)
docker run -d --name "$name-kafka" -p "127.0.0.1:$kafka:9092" \
  -e KAFKA_NODE_ID=1 -e KAFKA_PROCESS_ROLES=broker,controller \
  -e KAFKA_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093 \
  -e KAFKA_ADVERTISED_LISTENERS="PLAINTEXT://127.0.0.1:$kafka" \
  -e KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER \
  -e KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT \
  -e KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093 \
  -e KAFKA_NUM_PARTITIONS=3 -e KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1 \
  -e KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1 -e KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1 \
  -e KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0 -e KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS=500 \
  "$(image kafka)" >/dev/null
docker run -d --name "$name-clickhouse" -p 127.0.0.1::9000 -e CLICKHOUSE_SKIP_USER_SETUP=1 "$(image clickhouse)" >/dev/null
docker run -d --name "$name-postgres" -p 127.0.0.1::5432 -e POSTGRES_PASSWORD=test "$(image postgres)" >/dev/null

await kafka bash -c 'exec 3<>/dev/tcp/127.0.0.1/9092'
await clickhouse clickhouse-client --query 'SELECT 1'
await postgres pg_isready -h 127.0.0.1 -U postgres

export REDALERT_TEST_KAFKA=127.0.0.1:$kafka
REDALERT_TEST_CLICKHOUSE=$(docker port "$name-clickhouse" 9000/tcp | head -n 1)
REDALERT_TEST_POSTGRES=postgres://postgres:test@$(docker port "$name-postgres" 5432/tcp | head -n 1)/postgres?sslmode=disable
export REDALERT_TEST_CLICKHOUSE REDALERT_TEST_POSTGRES
"$@"
