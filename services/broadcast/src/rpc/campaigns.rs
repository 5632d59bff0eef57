//! `plaza.broadcast.v1.Broadcast`: campaigns, their plans, and what became of their messages.

use plaza_contracts::ids::CampaignId;
use plaza_contracts::incoming::{Asker, Refusal, id, page, reply, time};
use plaza_contracts::permissions::{CreateCampaigns, SendCampaigns, ViewCampaigns, ViewLogs};
use plaza_contracts::proto::broadcast::broadcast_server::Broadcast as BroadcastApi;
use plaza_contracts::proto::broadcast::{
    Audience as AudienceMessage, Campaign as CampaignReply, CreateCampaignRequest, GetCampaignRequest,
    ListCampaignsReply, ListCampaignsRequest, ListLogReply, ListLogRequest, ListPlanReply, ListPlanRequest,
    LogEntry as LogReply, PlanRow as PlanReply, SendCampaignRequest,
};
use plaza_kernel::Page;
use tonic::{Request, Response, Status, async_trait};

use super::{Rpc, done, given};
use crate::campaigns::create::NewCampaign;
use crate::campaigns::plan::{self, PlanRow, Which};
use crate::campaigns::{Audience, Campaign, store};
use crate::invalid::Invalid;
use crate::listing::{InvalidQuery, Window};
use crate::logs::{LogEntry, LogFilter};
use crate::repeatable::Repeatable;

#[async_trait]
impl BroadcastApi for Rpc {
    async fn create_campaign(
        &self,
        request: Request<CreateCampaignRequest>,
    ) -> Result<Response<CampaignReply>, Status> {
        let create = async {
            let (asker, request) = (Asker::of(&request)?, request.into_inner());
            let tenant = self.tenant::<CreateCampaigns>(asker, &request.tenant_id).await?;
            let new = new(request)?;
            let created = self.0.create_campaign(tenant, new, &Repeatable::never()).await?;
            Ok(campaign(done(created)?))
        };
        reply(create.await)
    }

    async fn get_campaign(
        &self,
        request: Request<GetCampaignRequest>,
    ) -> Result<Response<CampaignReply>, Status> {
        let find = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = self.tenant::<ViewCampaigns>(asker, &request.tenant_id).await?;
            let id = id("campaign_id", &request.campaign_id)?;
            let found: Campaign = if request.with_counts {
                self.0.campaign_with_counts(tenant, id).await?
            } else {
                self.0.campaign(tenant, id).await?.into()
            };
            Ok(campaign(found))
        };
        reply(find.await)
    }

    async fn list_campaigns(
        &self,
        request: Request<ListCampaignsRequest>,
    ) -> Result<Response<ListCampaignsReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let window = Window::from(page(request.limit, &request.cursor)?);
            let tenant = self.tenant::<ViewCampaigns>(asker, &request.tenant_id).await?;
            let found = store::list(&self.0.database, tenant, window).await?;
            let page = Page::from_found(found, window.limit, |campaign| campaign.id);
            let campaigns = page.items.into_iter().map(|stored| campaign(stored.into()));
            Ok(ListCampaignsReply {
                campaigns: campaigns.collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }

    async fn send_campaign(
        &self,
        request: Request<SendCampaignRequest>,
    ) -> Result<Response<CampaignReply>, Status> {
        let send = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let tenant = self.tenant::<SendCampaigns>(asker, &request.tenant_id).await?;
            let id = id("campaign_id", &request.campaign_id)?;
            let sent = self.0.send_campaign(tenant, id, &Repeatable::never()).await?;
            Ok(campaign(done(sent)?))
        };
        reply(send.await)
    }

    async fn list_plan(&self, request: Request<ListPlanRequest>) -> Result<Response<ListPlanReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let window = Window::from(page(request.limit, &request.cursor)?);
            let tenant = self.tenant::<ViewCampaigns>(asker, &request.tenant_id).await?;
            let campaign: CampaignId = id("campaign_id", &request.campaign_id)?;
            let which = which(request)?;
            self.0.campaign(tenant, campaign).await?;
            let rows = plan::list(&self.0.database, tenant, campaign, window, which).await?;
            let page = Page::from_found(rows, window.limit, |row| row.recipient_id);
            Ok(ListPlanReply {
                rows: page.items.into_iter().map(row).collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }

    async fn list_log(&self, request: Request<ListLogRequest>) -> Result<Response<ListLogReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.into_inner());
            let window = Window::from(page(request.limit, &request.cursor)?);
            let tenant = self.tenant::<ViewLogs>(asker, &request.tenant_id).await?;
            let campaign = given(request.campaign_id).map(|text| id("campaign_id", &text));
            let filter = LogFilter {
                campaign_id: campaign.transpose()?,
                state: given(request.state),
                ..LogFilter::default()
            };
            let page = self.0.log(tenant, &filter, window).await?;
            Ok(ListLogReply {
                entries: page.items.into_iter().map(entry).collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }
}

fn new(request: CreateCampaignRequest) -> Result<NewCampaign, Refusal> {
    let class = given(request.class).map(|class| class.parse());
    let unknown = |_| Invalid::one("/class", "INVALID_VALUE", "marketing, utility or authentication");
    let sender = given(request.sender_id).map(|text| id("sender_id", &text));
    Ok(NewCampaign {
        name: request.name,
        template_id: id("template_id", &request.template_id)?,
        sender_id: sender.transpose()?,
        audience: request.audience.map(audience).transpose()?.unwrap_or_default(),
        class: class.transpose().map_err(unknown)?,
        channel: None,
        schedule_at: None,
        expires_at: None,
    })
}

fn audience(message: AudienceMessage) -> Result<Audience, Refusal> {
    let import = given(message.import_id).map(|text| id("import_id", &text));
    Ok(Audience {
        opted_in: message.opted_in.unwrap_or(true),
        import_id: import.transpose()?,
        country: given(message.country),
    })
}

fn which(request: &ListPlanRequest) -> Result<Which, Refusal> {
    match (request.reason.as_str(), request.excluded) {
        ("", false) => Ok(Which::All),
        ("", true) => Ok(Which::Excluded),
        (reason, false) => {
            let unknown = |_| InvalidQuery::new("reason", "a reason of plan rows");
            Ok(Which::Because(reason.parse().map_err(unknown)?))
        }
        (_, true) => Err(InvalidQuery::new("excluded", "not together with `reason`").into()),
    }
}

fn campaign(campaign: Campaign) -> CampaignReply {
    let audience = AudienceMessage {
        opted_in: Some(campaign.audience.opted_in),
        import_id: campaign.audience.import_id.map(text).unwrap_or_default(),
        country: campaign.audience.country.unwrap_or_default(),
    };
    CampaignReply {
        campaign_id: campaign.id.to_string(),
        name: campaign.name,
        state: campaign.state.to_string(),
        planned: campaign.planned.into_iter().collect(),
        template_id: campaign.template_id.to_string(),
        sender_id: campaign.sender_id.map(text).unwrap_or_default(),
        class: campaign.class.to_string(),
        audience: Some(audience),
        created_at: time(campaign.created_at),
        updated_at: time(campaign.updated_at),
        counts: campaign.counts.unwrap_or_default().into_iter().collect(),
        counts_unavailable: campaign.counts_unavailable,
    }
}

fn row(row: PlanRow) -> PlanReply {
    PlanReply {
        recipient_id: row.recipient_id.to_string(),
        reason: row.reason.to_string(),
        message_id: row.message_id.map(text).unwrap_or_default(),
        planned_at: time(row.planned_at),
    }
}

fn entry(entry: LogEntry) -> LogReply {
    LogReply {
        message_id: entry.message_id.to_string(),
        campaign_id: entry.campaign_id.map(text).unwrap_or_default(),
        recipient_id: entry.recipient_id.map(text).unwrap_or_default(),
        recipient_name: entry.recipient_name.unwrap_or_default(),
        channel: entry.channel,
        to: entry.to,
        state: entry.state,
        provider_id: entry.provider_id.unwrap_or_default(),
        error_code: entry.error_code.unwrap_or_default(),
        error_text: entry.error_text.unwrap_or_default(),
        attempts: entry.attempts,
        created_at: time(entry.created_at),
        updated_at: time(entry.updated_at),
    }
}

fn text(id: impl ToString) -> String {
    id.to_string()
}
