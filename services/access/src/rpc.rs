//! The gRPC API of access: what is asked for every request, and the roles behind it.

mod checks;
mod roles;

use plaza_contracts::proto::access::access_server::AccessServer;
use plaza_contracts::proto::access::roles_server::RolesServer;
use tonic::service::Routes;

use crate::Access;

pub(crate) fn routes(access: Access) -> Routes {
    Routes::new(AccessServer::new(access.clone())).add_service(RolesServer::new(access))
}
