//! The test kit keeps its own promises.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod cluster;
mod databases;
mod fault_proxy;
mod haproxy;
mod mounted;
mod otlp;
mod own_broker;
mod python;
mod rabbitmq;
mod settling;
mod smtp;

use std::sync::LazyLock;

use plaza_database::{Migration, Schema};
use plaza_kernel::ServiceName;

/// A service that exists only here.
const SAMPLE: ServiceName = ServiceName::new("sample");

/// Its schema.
fn schema() -> Schema {
    static OWN: LazyLock<Vec<Migration>> = LazyLock::new(|| {
        vec![Migration {
            name: "V20261120100000__things",
            sql: "CREATE TABLE sample.things (
                      tenant_id uuid NOT NULL,
                      id        uuid NOT NULL,
                      name      text NOT NULL,
                      PRIMARY KEY (tenant_id, id)
                  );
                  SELECT plaza.tenant_table('sample.things');",
        }]
    });
    Schema::new(SAMPLE, &OWN).with(plaza_messaging::migrations())
}
