#!/bin/sh
# Makes the secrets of this installation, once: one file per reader, so that each process knows what it needs and no more.
# Which container gets which file is in compose.yaml. Keep the folder with your backups: without `sealed.env` nothing that
# is sealed in the database can be opened.
#
# Needs a POSIX system and the program: the image `plaza` (see README.md), or whatever PLAZA says
# (`PLAZA=plaza ./secrets.sh`). A PLAZA_DATABASE_ROLE_KEY that exists already is kept, if it is in the environment.
set -eu
folder=${1:-"$(dirname "$0")/secrets"}
if [ -e "$folder" ]; then
    echo "$folder exists: nothing is replaced" >&2
    exit 1
fi
umask 077

hex() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
base64_of_32_bytes() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }

postgres=$(hex) migrator=$(hex) broker=$(hex)
export PLAZA_DATABASE_ROLE_KEY="${PLAZA_DATABASE_ROLE_KEY:-$(hex)}"
export DATABASE_URL="postgresql://plaza_migrator:$migrator@postgres:5432/plaza"

# Word by word: it is a command with its arguments.
program=${PLAZA:-docker run --rm -e DATABASE_URL -e PLAZA_DATABASE_ROLE_KEY plaza}
keys=$($program internal-keys --env)
logins=$($program database-logins)
lines() { printf '%s\n' "$1" | grep "^$2"; }

mkdir -p "$folder"
cat > "$folder/postgres.env" <<END
POSTGRES_PASSWORD=$postgres
MIGRATOR_PASSWORD=$migrator
END
cat > "$folder/rabbitmq.env" <<END
RABBITMQ_DEFAULT_USER=plaza
RABBITMQ_DEFAULT_PASS=$broker
RABBITMQ_DEFAULT_VHOST=plaza
END
# For `plaza migrate` and `plaza doctor` alone: who has these is every role of the database.
cat > "$folder/migrate.env" <<END
DATABASE_URL=$DATABASE_URL
PLAZA_DATABASE_ROLE_KEY=$PLAZA_DATABASE_ROLE_KEY
END
# Services, not gateways.
cat > "$folder/broker.env" <<END
RABBITMQ_URL=amqp://plaza:$broker@rabbitmq:5672/plaza
END
# Identity, tenancy and notification: the three that keep secrets in the database.
cat > "$folder/sealed.env" <<END
ENCRYPTION_KEY=k1:$(base64_of_32_bytes)
END
# No secret: what each part's signature is checked with, by all.
lines "$keys" PLAZA_INTERNAL__PUBLIC_KEYS__ > "$folder/public.env"
# What each part alone knows: the key it signs with, and its own two logins of the database.
for part in GATEWAY IDENTITY TENANCY ACCESS NOTIFICATION BROADCAST; do
    {
        lines "$keys" "PLAZA_INTERNAL__SIGNING_KEYS__$part="
        lines "$logins" "PLAZA_${part}_" || [ "$part" = GATEWAY ]
    } > "$folder/$(echo "$part" | tr '[:upper:]' '[:lower:]').env"
done
# What the provider gives you; empty means that no callback is accepted.
cat > "$folder/whatsapp.env" <<END
PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET=
PLAZA_NOTIFICATION__WHATSAPP__VERIFY_TOKEN=
END
echo "made $folder"
