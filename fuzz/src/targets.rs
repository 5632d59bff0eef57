//! The targets, one file each.

pub(crate) mod csv;
pub(crate) mod cursor;
pub(crate) mod email;
pub(crate) mod internal_token;
pub(crate) mod meta;
pub(crate) mod phone;
pub(crate) mod request;
pub(crate) mod request_target;
pub(crate) mod sealed;
pub(crate) mod sms;
pub(crate) mod twilio;
pub(crate) mod workbook;
