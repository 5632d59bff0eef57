//! All SQL that turns product areas on and off. What reads them is `grants/store.rs`.

use plaza_database::{DatabaseError, TenantTx, statements};
use plaza_kernel::TenantId;

use super::Menu;

statements! {
    static ENABLE: (TenantId, Vec<String>, Vec<i16>) => () =
        "INSERT INTO access.menus (tenant_id, menu, position)
         SELECT $1, menu, position FROM unnest($2::text[], $3::smallint[]) AS m (menu, position)
         ON CONFLICT DO NOTHING";
    static DISABLE: (TenantId, String) => () =
        "DELETE FROM access.menus WHERE tenant_id = $1 AND menu = $2";
}

/// Turns product areas on; says how many were not.
pub(crate) async fn enable(tx: &TenantTx, menus: &[Menu]) -> Result<u64, DatabaseError> {
    let names = menus.iter().map(|menu| menu.name().to_owned()).collect();
    let positions = menus.iter().map(|menu| menu.position()).collect();
    tx.execute(&ENABLE, (tx.tenant(), names, positions)).await
}

/// Turns a product area off; says whether it was on.
pub(crate) async fn disable(tx: &TenantTx, menu: Menu) -> Result<bool, DatabaseError> {
    let disabled = tx.execute(&DISABLE, (tx.tenant(), menu.name().to_owned()));
    Ok(disabled.await? == 1)
}
