//! What a role is made of, read once.

use plaza_kernel::{FieldError, PermissionSet};

use super::create::RoleError;
use super::{NotAName, RoleName};
use crate::grants::bit;

/// A whole role: says of all parts what is wrong with them.
pub(super) fn role(name: &str, permissions: &[String]) -> Result<(RoleName, PermissionSet), RoleError> {
    let mut wrong = Vec::new();
    let name = read_name(name, &mut wrong);
    let permissions = read_permissions(permissions, &mut wrong);
    match name {
        Some(name) if wrong.is_empty() => Ok((name, permissions)),
        _ => Err(RoleError::Invalid(wrong)),
    }
}

/// The parts of a role that were given.
pub(super) fn parts(
    name: Option<&str>,
    permissions: Option<&[String]>,
) -> Result<(Option<RoleName>, Option<PermissionSet>), RoleError> {
    let mut wrong = Vec::new();
    let name = name.and_then(|text| read_name(text, &mut wrong));
    let permissions = permissions.map(|texts| read_permissions(texts, &mut wrong));
    if wrong.is_empty() {
        Ok((name, permissions))
    } else {
        Err(RoleError::Invalid(wrong))
    }
}

fn read_name(text: &str, wrong: &mut Vec<FieldError>) -> Option<RoleName> {
    match RoleName::parse(text) {
        Ok(name) => Some(name),
        Err(error) => {
            let code = match error {
                NotAName::Reserved => "RESERVED",
                NotAName::Form => "INVALID_NAME",
                NotAName::Mixed => "MIXED_SCRIPTS",
            };
            wrong.push(FieldError::new("/name", code, error.to_string()));
            None
        }
    }
}

fn read_permissions(texts: &[String], wrong: &mut Vec<FieldError>) -> PermissionSet {
    let mut set = PermissionSet::none();
    for (at, text) in texts.iter().enumerate() {
        match text.split_once('.').and_then(|(menu, action)| bit(menu, action)) {
            Some(bit) => set = set.with(bit),
            None => wrong.push(FieldError::new(
                format!("/permissions/{at}"),
                "UNKNOWN_PERMISSION",
                "not a permission of the catalogue",
            )),
        }
    }
    set
}
