//! `plaza.broadcast.v1.Templates`.

use plaza_contracts::incoming::{Asker, Refusal, id, page, reply, time};
use plaza_contracts::permissions::{CreateTemplates, ViewTemplates};
use plaza_contracts::proto::broadcast::templates_server::Templates;
use plaza_contracts::proto::broadcast::variable::Source;
use plaza_contracts::proto::broadcast::{
    CreateTemplateRequest, GetTemplateRequest, ListTemplatesReply, ListTemplatesRequest,
    Template as TemplateReply, Variable as VariableMessage,
};
use plaza_kernel::Page;
use tonic::{Request, Response, Status, async_trait};

use super::{Rpc, done};
use crate::invalid::Invalid;
use crate::listing::Window;
use crate::repeatable::Repeatable;
use crate::templates::create::NewTemplate;
use crate::templates::variables::Variable;
use crate::templates::{NoTemplate, Template, store};

#[async_trait]
impl Templates for Rpc {
    async fn create_template(
        &self,
        request: Request<CreateTemplateRequest>,
    ) -> Result<Response<TemplateReply>, Status> {
        let create = async {
            let (asker, request) = (Asker::of(&request)?, request.into_inner());
            let tenant = self.tenant::<CreateTemplates>(asker, &request.tenant_id).await?;
            let made = self
                .0
                .create_template(tenant, new(request)?, &Repeatable::never())
                .await?;
            Ok(template(done(made)?))
        };
        reply(create.await)
    }

    async fn get_template(
        &self,
        request: Request<GetTemplateRequest>,
    ) -> Result<Response<TemplateReply>, Status> {
        let find = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = self.tenant::<ViewTemplates>(asker, &request.tenant_id).await?;
            let id = id("template_id", &request.template_id)?;
            let found = store::get(&self.0.database, tenant, id).await?;
            Ok(found.map(|stored| template(stored.into())).ok_or(NoTemplate)?)
        };
        reply(find.await)
    }

    async fn list_templates(
        &self,
        request: Request<ListTemplatesRequest>,
    ) -> Result<Response<ListTemplatesReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let window = Window::from(page(request.limit, &request.cursor)?);
            let tenant = self.tenant::<ViewTemplates>(asker, &request.tenant_id).await?;
            let found = store::list(&self.0.database, tenant, window).await?;
            let page = Page::from_found(found, window.limit, |template| template.id);
            let templates = page.items.into_iter().map(|stored| template(stored.into()));
            Ok(ListTemplatesReply {
                templates: templates.collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }
}

fn new(request: CreateTemplateRequest) -> Result<NewTemplate, Refusal> {
    let unknown = |_| {
        Invalid::one(
            "/category",
            "INVALID_VALUE",
            "MARKETING, UTILITY or AUTHENTICATION",
        )
    };
    let variables: Result<_, Invalid> = request.variables.into_iter().enumerate().map(read).collect();
    Ok(NewTemplate {
        name: request.name,
        language: request.language,
        category: request.category.parse().map_err(unknown)?,
        body: request.body,
        variables: variables?,
    })
}

fn read((at, variable): (usize, VariableMessage)) -> Result<Variable, Invalid> {
    match (variable.source, variable.default) {
        (Some(Source::Literal(literal)), None) => Ok(Variable::Literal { literal }),
        (Some(Source::Field(field)), None) => Ok(Variable::Field(field)),
        (Some(Source::Field(field)), Some(default)) => Ok(Variable::FieldOr { field, default }),
        _ => Err(Invalid::one(
            format!("/variables/{at}"),
            "INVALID_VARIABLE",
            "a literal, or a field that may have a default",
        )),
    }
}

fn template(template: Template) -> TemplateReply {
    TemplateReply {
        template_id: template.id.to_string(),
        name: template.name,
        language: template.language,
        category: template.category.to_string(),
        body: template.body,
        variables: template.variables.into_iter().map(written).collect(),
        created_at: time(template.created_at),
        updated_at: time(template.updated_at),
    }
}

fn written(variable: Variable) -> VariableMessage {
    let (source, default) = match variable {
        Variable::Literal { literal } => (Source::Literal(literal), None),
        Variable::Field(field) => (Source::Field(field), None),
        Variable::FieldOr { field, default } => (Source::Field(field), Some(default)),
    };
    VariableMessage {
        source: Some(source),
        default,
    }
}
