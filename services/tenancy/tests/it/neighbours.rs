//! Identity and broadcast as far as tenancy asks them to count: each answers one method, a page at a time.

use std::convert::Infallible;

use plaza_contracts::proto::broadcast::{Campaign, ListCampaignsReply, ListCampaignsRequest};
use plaza_contracts::proto::identity::{ListMembersReply, ListMembersRequest, Member};
use plaza_rpc::Peer;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Context, Poll, Service};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Three members of every tenant, on two pages.
#[derive(Clone)]
pub(crate) struct Members;

/// Two campaigns of every tenant, on two pages.
#[derive(Clone)]
pub(crate) struct Campaigns;

impl Members {
    fn answer(asked: &ListMembersRequest) -> ListMembersReply {
        let (members, next_cursor) = match asked.cursor.as_str() {
            "" => (vec![Member::default(); 2], "next".to_owned()),
            _ => (vec![Member::default()], String::new()),
        };
        ListMembersReply { members, next_cursor }
    }
}

impl Campaigns {
    fn answer(asked: &ListCampaignsRequest) -> ListCampaignsReply {
        let campaign = |send: u64| Campaign {
            planned: [("send".to_owned(), send), ("no_consent".to_owned(), 9)].into(),
            ..Campaign::default()
        };
        let (campaigns, next_cursor) = match asked.cursor.as_str() {
            "" => (vec![campaign(40)], "next".to_owned()),
            _ => (vec![campaign(2)], String::new()),
        };
        ListCampaignsReply {
            campaigns,
            next_cursor,
        }
    }
}

macro_rules! answers_one_method {
    ($name:ident, $service:literal, $method:literal, $question:ty, $answer:ty) => {
        impl NamedService for $name {
            const NAME: &'static str = $service;
        }

        impl UnaryService<$question> for $name {
            type Response = $answer;
            type Future = BoxFuture<Response<$answer>, Status>;

            /// Of services by themselves only, as a person of the platform has no rights inside tenants.
            fn call(&mut self, request: Request<$question>) -> Self::Future {
                let alone = request.extensions().get::<Peer>().unwrap().caller.is_none();
                let answer = Self::answer(request.get_ref());
                let refused = Status::permission_denied("asked for a person");
                Box::pin(async move { alone.then(|| Response::new(answer)).ok_or(refused) })
            }
        }

        impl Service<http::Request<Body>> for $name {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = BoxFuture<Self::Response, Infallible>;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: http::Request<Body>) -> Self::Future {
                assert_eq!(request.uri().path(), concat!("/", $service, "/", $method));
                let service = self.clone();
                let codec = ProstCodec::<$answer, $question>::default();
                Box::pin(async move { Ok(Grpc::new(codec).unary(service, request).await) })
            }
        }
    };
}

answers_one_method!(
    Members,
    "plaza.identity.v1.Members",
    "ListMembers",
    ListMembersRequest,
    ListMembersReply
);
answers_one_method!(
    Campaigns,
    "plaza.broadcast.v1.Broadcast",
    "ListCampaigns",
    ListCampaignsRequest,
    ListCampaignsReply
);
