//! Many rows at once, into a temporary table.

use std::pin::pin;

use bytes::Bytes;
use postgres_types::Type;
use tokio_postgres::binary_copy::BinaryCopyInWriter;

use super::{Ready, Transaction};
use crate::pool::Lease;
use crate::temp_table::TempTableTexts;
use crate::{DatabaseError, Params, TempTable};

impl Transaction {
    /// Copies rows into a temporary table, after those that this transaction has copied before, and says how many there
    /// were. They are gone when the transaction ends. What is in memory at once is one row and a few kilobytes on their
    /// way.
    ///
    /// # Errors
    /// [`DatabaseError::Refused`] where the login may not make temporary tables
    /// ([`Database::may_stage`](crate::Database::may_stage)).
    ///
    /// # Panics
    /// When the declared row has more or fewer values than the table has columns, which the check of all declared
    /// statements ([`check`](crate::check)) finds before.
    pub async fn copy_into<P: Params>(
        &self,
        table: &TempTable<P>,
        rows: impl IntoIterator<Item = P, IntoIter: Send> + Send,
    ) -> Result<u64, DatabaseError> {
        self.made(&table.texts).await?;
        let Ready {
            turn,
            lease,
            statement,
        } = self.ready(table.texts.copy).await?;
        let types = column_types(lease, &table.texts).await;
        let types = types.map_err(|error| self.failed_with(error.into()))?;
        let rows = rows.into_iter();
        let copy = async {
            let sink = lease.client().copy_in::<_, Bytes>(&statement).await?;
            let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
            for row in rows {
                writer.as_mut().write(&row.values()).await?;
            }
            Ok(writer.finish().await?)
        };
        self.launch(turn, lease, copy).await
    }

    /// The table is there; made in this transaction if the connection has none yet.
    async fn made(&self, texts: &TempTableTexts) -> Result<(), DatabaseError> {
        let turn = self.turn.lock().await;
        let lease = self.lease().await.map_err(|error| self.failed_with(error))?;
        if lease.temp_tables().has(texts.create) {
            return Ok(());
        }
        let make = async { Ok(lease.client().batch_execute(texts.create).await?) };
        self.launch(turn, lease, make).await?;
        lease.temp_tables().made(texts.create);
        Ok(())
    }
}

/// As the server has them: a binary copy says nothing about types, and is not converted.
async fn column_types(lease: &Lease, texts: &TempTableTexts) -> Result<Vec<Type>, tokio_postgres::Error> {
    let table = lease.prepare(texts.columns).await?;
    Ok(table
        .columns()
        .iter()
        .map(|column| column.type_().clone())
        .collect())
}
