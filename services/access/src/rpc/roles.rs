//! `plaza.access.v1.Roles`: the verbs that routes call too.

use plaza_contracts::incoming::{Asker, Refusal, id, page, reply, time};
use plaza_contracts::permissions::{AssignRoles, ViewRoles};
use plaza_contracts::proto::access::roles_server;
use plaza_contracts::proto::access::{
    AssignRoleReply, AssignRoleRequest, Assignment, CreateRoleRequest, DeleteRoleReply, DeleteRoleRequest,
    ListAssignmentsReply, ListAssignmentsRequest, ListMenusReply, ListMenusRequest, ListPermissionsReply,
    ListPermissionsRequest, ListRolesReply, ListRolesRequest, Menu, Role as RoleMessage, UnassignRoleReply,
    UnassignRoleRequest,
};
use plaza_kernel::{TenantId, UserId};
use plaza_web::IfMatch;
use tonic::{Request, Response, Status, async_trait};

use crate::Access;
use crate::grants::{actions, everything, names, store as grants};
use crate::roles::{Role, store};

#[async_trait]
impl roles_server::Roles for Access {
    async fn list_roles(
        &self,
        request: Request<ListRolesRequest>,
    ) -> Result<Response<ListRolesReply>, Status> {
        reply(self.role_page(request).await)
    }

    async fn create_role(
        &self,
        request: Request<CreateRoleRequest>,
    ) -> Result<Response<RoleMessage>, Status> {
        let create = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let right = self.right(asker, tenant).await?;
            let role = self
                .create_role(&right, &request.name, &request.permissions)
                .await?;
            Ok(message(role))
        };
        reply(create.await)
    }

    async fn delete_role(
        &self,
        request: Request<DeleteRoleRequest>,
    ) -> Result<Response<DeleteRoleReply>, Status> {
        let delete = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let role = id("role_id", &request.role_id)?;
            let right = self.right(asker, tenant).await?;
            self.delete_role(&right, role, IfMatch(None)).await?;
            Ok(DeleteRoleReply {})
        };
        reply(delete.await)
    }

    async fn assign_role(
        &self,
        request: Request<AssignRoleRequest>,
    ) -> Result<Response<AssignRoleReply>, Status> {
        let assign = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let (role, user) = (id("role_id", &request.role_id)?, id("user_id", &request.user_id)?);
            let right = self.right::<AssignRoles>(asker, tenant).await?;
            self.assign(&right, role, user).await?;
            Ok(AssignRoleReply {})
        };
        reply(assign.await)
    }

    async fn unassign_role(
        &self,
        request: Request<UnassignRoleRequest>,
    ) -> Result<Response<UnassignRoleReply>, Status> {
        let unassign = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let (role, user) = (id("role_id", &request.role_id)?, id("user_id", &request.user_id)?);
            let right = self.right::<AssignRoles>(asker, tenant).await?;
            self.unassign(&right, role, user).await?;
            Ok(UnassignRoleReply {})
        };
        reply(unassign.await)
    }

    async fn list_assignments(
        &self,
        request: Request<ListAssignmentsRequest>,
    ) -> Result<Response<ListAssignmentsReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let role = id("role_id", &request.role_id)?;
            let page = page(request.limit, &request.cursor)?;
            let right = self.right(asker, tenant).await?;
            let page = self.assignments(&right, role, page, 0).await?;
            let items = page.items.into_iter().map(|item| Assignment {
                user_id: item.user.to_string(),
                created_at: time(item.created_at),
            });
            Ok(ListAssignmentsReply {
                assignments: items.collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }

    async fn list_menus(
        &self,
        request: Request<ListMenusRequest>,
    ) -> Result<Response<ListMenusReply>, Status> {
        let list = async {
            let tenant = Asker::of(&request)?.tenant(&request.get_ref().tenant_id)?;
            let menus = grants::menus(&self.inner.database, tenant).await?;
            let menus = menus.into_iter().map(|menu| Menu {
                actions: actions(&menu, &everything()),
                menu,
            });
            Ok(ListMenusReply {
                menus: menus.collect(),
            })
        };
        reply(list.await)
    }

    async fn list_permissions(
        &self,
        request: Request<ListPermissionsRequest>,
    ) -> Result<Response<ListPermissionsReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = asker.tenant(&request.tenant_id)?;
            let user = id("user_id", &request.user_id)?;
            self.may_see_roles_of(asker, tenant, user).await?;
            let granted = grants::of_member(&self.inner.database, tenant, user).await?;
            Ok(ListPermissionsReply {
                version: granted.version,
                permissions: names(&granted.permissions),
            })
        };
        reply(list.await)
    }
}

impl Access {
    async fn role_page(&self, request: Request<ListRolesRequest>) -> Result<ListRolesReply, Refusal> {
        let (asker, request) = (Asker::of(&request)?, request.into_inner());
        let tenant = asker.tenant(&request.tenant_id)?;
        let page = page(request.limit, &request.cursor)?;
        let member = match request.user_id.as_str() {
            "" => None,
            text => Some(id("user_id", text)?),
        };
        match member {
            Some(user) => self.may_see_roles_of(asker, tenant, user).await?,
            None => {
                self.right::<ViewRoles>(asker, tenant).await?;
            }
        }
        let page = store::list(&self.inner.database, tenant, member, page, 0).await?;
        Ok(ListRolesReply {
            roles: page.items.into_iter().map(message).collect(),
            next_cursor: page.next_cursor.unwrap_or_default(),
        })
    }

    /// Everybody sees what they hold themselves.
    pub(super) async fn may_see_roles_of(
        &self,
        asker: Asker,
        tenant: TenantId,
        user: UserId,
    ) -> Result<(), Refusal> {
        if !asker.is(user) {
            self.right::<ViewRoles>(asker, tenant).await?;
        }
        Ok(())
    }
}

fn message(role: Role) -> RoleMessage {
    RoleMessage {
        role_id: role.id.to_string(),
        name: role.name.as_str().to_owned(),
        template: role
            .template
            .map_or_else(String::new, |template| template.as_str().to_owned()),
        permissions: names(&role.permissions),
        created_at: time(role.created_at),
    }
}
