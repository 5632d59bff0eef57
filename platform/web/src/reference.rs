//! The API reference at `/docs`: Swagger UI over `/openapi.json`, whole from this program. Nothing of it is fetched from
//! anywhere else, and its policy would not let it be. Where the files come from is in `assets/reference/README.md`.

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use http::{HeaderMap, header};

use crate::fixed::Fixed;

/// Only our own scripts, styles and calls; the icons of the style sheet are `data:` in it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page and its files.
pub(crate) fn router() -> Router {
    let page = Fixed::new(HTML, include_str!("../assets/reference/page.html"))
        .with(header::CONTENT_SECURITY_POLICY, POLICY)
        .with(header::REFERRER_POLICY, "no-referrer");
    let style = Fixed::new(CSS, include_str!("../assets/reference/page.css"));
    let start = Fixed::new(SCRIPT, include_str!("../assets/reference/page.js"));
    let look = Fixed::compressed(CSS, include_bytes!("../assets/reference/swagger-ui.css.gz"));
    let bundle = Fixed::compressed(
        SCRIPT,
        include_bytes!("../assets/reference/swagger-ui-bundle.js.gz"),
    );
    Router::new()
        .route("/docs/", get(|| async { Redirect::permanent("/docs") }))
        .merge(serve("/docs", page))
        .merge(serve("/docs/page.css", style))
        .merge(serve("/docs/page.js", start))
        .merge(serve("/docs/swagger-ui.css", look))
        .merge(serve("/docs/swagger-ui-bundle.js", bundle))
}

/// Serves one answer at one path.
pub(crate) fn serve(path: &str, fixed: Fixed) -> Router {
    Router::new().route(
        path,
        get(move |headers: HeaderMap| async move { fixed.answer(&headers) }),
    )
}
