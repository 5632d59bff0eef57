//! The document says who may use what and how it fails.

use axum::Json as AxumJson;
use plaza_web::{Anyone, Api, ApiErrors, Authenticated, Granted, Json, May, Path, ServiceApi, openapi};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::support::{SERVICE, ViewOrders, ask, get, nothing_granted};

#[derive(Serialize, Deserialize, ToSchema)]
struct OrderView {
    id: u32,
}

mod elsewhere {
    #[derive(serde::Serialize, utoipa::ToSchema)]
    pub(super) struct OrderView {
        pub(super) name: String,
    }
}

#[utoipa::path(get, path = "/orders", operation_id = "list_orders", responses((status = 200, body = [OrderView]), ApiErrors))]
async fn list(_: Granted<May<ViewOrders>>) -> AxumJson<Vec<OrderView>> {
    AxumJson(Vec::new())
}

#[utoipa::path(post, path = "/orders", operation_id = "create_order", request_body = OrderView, responses((status = 201)))]
async fn create(_: Granted<Authenticated>, Json(_body): Json<OrderView>) {}

#[utoipa::path(get, path = "/public/{id}", operation_id = "get_public", params(("id" = u32, Path)), responses((status = 200)))]
async fn public(_: Granted<Anyone>, Path(_id): Path<u32>) {}

#[utoipa::path(get, path = "/orders", operation_id = "list_orders", responses((status = 200, body = elsewhere::OrderView)))]
async fn list_again(_: Granted<Anyone>) -> AxumJson<elsewhere::OrderView> {
    AxumJson(elsewhere::OrderView { name: String::new() })
}

fn shop() -> ServiceApi {
    Api::<()>::new(SERVICE)
        .route::<May<ViewOrders>>(routes!(list))
        .route::<Authenticated>(routes!(create))
        .route::<Anyone>(routes!(public))
        .build((), nothing_granted())
}

fn document(apis: &[ServiceApi]) -> Value {
    serde_json::from_str(&openapi::to_json(&openapi::document(apis))).unwrap()
}

#[tokio::test]
async fn every_operation_says_who_may_use_it() {
    let document = document(&[shop()]);
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["title"], "Plaza");
    let (list, create) = (
        &document["paths"]["/orders"]["get"],
        &document["paths"]["/orders"]["post"],
    );
    let public = &document["paths"]["/public/{id}"]["get"];
    assert_eq!(list["x-plaza-access"], "orders.view");
    assert_eq!(create["x-plaza-access"], "authenticated");
    assert_eq!(public["x-plaza-access"], "anyone");
    assert_eq!(list["security"], json!([{ "bearer": [] }]));
    assert_eq!(public["security"], json!([]));
    assert_eq!(
        document["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
}

#[tokio::test]
async fn every_operation_documents_its_errors_as_problems() {
    let document = document(&[shop()]);
    for (path, method) in [("/orders", "get"), ("/orders", "post"), ("/public/{id}", "get")] {
        let responses = &document["paths"][path][method]["responses"];
        for status in ["400", "401", "403", "404", "409", "422", "429", "503", "default"] {
            let schema = &responses[status]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
        }
    }
    assert!(document["paths"]["/orders"]["post"]["responses"]["413"].is_object());
    assert!(document["paths"]["/orders"]["get"]["responses"]["413"].is_null());
    assert_eq!(document["components"]["schemas"]["Problem"]["type"], "object");
    assert_eq!(document["components"]["schemas"]["FieldError"]["type"], "object");
}

#[tokio::test]
async fn equal_apis_give_equal_text_and_it_is_served() {
    let text = openapi::to_json(&openapi::document(&[shop()]));
    assert_eq!(text, openapi::to_json(&openapi::document(&[shop()])));
    let reply = ask(
        &openapi::router(&openapi::document(&[shop()])),
        get("/openapi.json"),
    )
    .await;
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!(reply.body, text.as_bytes());
}

#[tokio::test]
async fn what_two_services_both_claim_is_found() {
    let other = Api::<()>::new(SERVICE)
        .route::<Anyone>(routes!(list_again))
        .build((), nothing_granted());
    assert!(openapi::conflicts(&[shop()]).is_empty());
    assert_eq!(
        openapi::conflicts(&[shop(), other]),
        [
            "operation id `list_orders` is not unique",
            "route `GET /orders` is not unique",
            "schema `OrderView` stands for two shapes"
        ]
    );
}

#[utoipa::path(get, path = "/elsewhere", operation_id = "list_orders")]
async fn same_id() {}

#[tokio::test]
#[should_panic(expected = "list_orders")]
async fn a_service_with_one_operation_id_twice_does_not_start() {
    let api = Api::<()>::new(SERVICE)
        .route::<May<ViewOrders>>(routes!(list))
        .route::<Anyone>(routes!(same_id));
    let _ = api.build((), nothing_granted());
}
