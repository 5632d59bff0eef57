#!/bin/sh
# Makes the secrets of this installation, once: one file per reader, so that the front door never sees the database's
# password. Needs nothing but a POSIX system. Keep the folder with your backups: without `services.env` nothing that is
# sealed in the database can be opened.
set -eu
folder=${1:-"$(dirname "$0")/secrets"}
if [ -e "$folder" ]; then
    echo "$folder exists: nothing is replaced" >&2
    exit 1
fi
umask 077
mkdir -p "$folder"

hex() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
base64_of_32_bytes() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }

postgres=$(hex) migrator=$(hex) broker=$(hex)

cat > "$folder/postgres.env" <<END
POSTGRES_PASSWORD=$postgres
MIGRATOR_PASSWORD=$migrator
END
cat > "$folder/rabbitmq.env" <<END
RABBITMQ_DEFAULT_USER=plaza
RABBITMQ_DEFAULT_PASS=$broker
RABBITMQ_DEFAULT_VHOST=plaza
END
# Only `plaza migrate` logs in as the migrator.
cat > "$folder/migrate.env" <<END
DATABASE_URL=postgresql://plaza_migrator:$migrator@postgres:5432/plaza
END
cat > "$folder/services.env" <<END
PLAZA_DATABASE_ROLE_KEY=$(hex)
ENCRYPTION_KEY=k1:$(base64_of_32_bytes)
RABBITMQ_URL=amqp://plaza:$broker@rabbitmq:5672/plaza
END
cat > "$folder/internal.env" <<END
PLAZA_INTERNAL_KEY=$(hex)
END
# What the provider gives you; empty means that no callback is accepted.
cat > "$folder/whatsapp.env" <<END
PLAZA_NOTIFICATION__WHATSAPP__APP_SECRET=
PLAZA_NOTIFICATION__WHATSAPP__VERIFY_TOKEN=
END
echo "made $folder"
