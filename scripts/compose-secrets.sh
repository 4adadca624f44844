#!/usr/bin/env bash
# Writes the passwords of docker-compose.yml into a folder (default ./secrets),
# once: a password that is there is kept. What is derived from one (the URL, the
# hash, the broker's list of users) is written anew.
#
# The folder is closed to others (0700), which is what protects the files. The
# files themselves are readable (0444), since Compose mounts them as they are
# and each container reads them under a user of its own.
set -euo pipefail
umask 077
dir=${1:-secrets}
mkdir -p "$dir"
chmod 0700 "$dir"

# put NAME: stdin becomes the file, whole or not at all.
put() {
  local tmp
  tmp=$(mktemp "$dir/.new.XXXXXX")
  cat >"$tmp"
  chmod 0444 "$tmp"
  mv -f "$tmp" "$dir/$1"
}

# password NAME: 32 random bytes in hex, safe in a URL, in XML and in JAAS.
password() {
  [ -s "$dir/$1" ] || od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' | put "$1"
  cat "$dir/$1"
}

kafka=$(password kafka_password.txt)
clickhouse=$(password clickhouse_password.txt)
postgres=$(password postgres_password.txt)

put kafka_jaas.conf <<END
KafkaServer {
    org.apache.kafka.common.security.plain.PlainLoginModule required
    user_redalert="$kafka";
};
END
hash=$(printf %s "$clickhouse" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -d' ' -f1)
put clickhouse_password_hash.xml <<END
<clickhouse><users><redalert><password_sha256_hex>$hash</password_sha256_hex></redalert></users></clickhouse>
END
printf 'postgres://redalert:%s@postgres:5432/redalert?sslmode=disable\n' "$postgres" | put postgres_url.txt
echo "The passwords are in $dir; keep a copy where you keep backups."
