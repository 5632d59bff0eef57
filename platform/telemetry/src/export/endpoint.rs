//! Where spans go and in whose name.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::{TelemetryError, TelemetrySettings, VERSION};

/// How long the collector may take to connect, and to answer.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(4);

/// A collector, and the process that it is told about.
pub(crate) struct Endpoint {
    url: Url,
    headers: HashMap<String, String>,
    resource: Resource,
}

impl Endpoint {
    /// The collector of the settings, if there is one.
    pub(crate) fn of(
        settings: &TelemetrySettings,
        duty: Option<&str>,
    ) -> Result<Option<Self>, TelemetryError> {
        let Some(base) = settings
            .otlp_endpoint
            .as_deref()
            .filter(|base| !base.trim().is_empty())
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            url: traces_of(base.trim()).ok_or(TelemetryError::OtlpEndpoint)?,
            headers: settings
                .otlp_headers
                .as_ref()
                .map_or_else(|| Some(HashMap::new()), headers)
                .ok_or(TelemetryError::OtlpHeaders)?,
            resource: resource(&settings.service_name, duty),
        }))
    }

    /// Blocks; not to be called, nor its result dropped, where asynchronous work runs.
    pub(super) fn exporter(self) -> Result<SpanExporter, Box<dyn Error + Send + Sync>> {
        let client = reqwest::blocking::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .build()?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(self.url)
            .with_headers(self.headers)
            .with_timeout(ANSWER)
            // Ours can be interrupted.
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        exporter.set_resource(&self.resource);
        Ok(exporter)
    }
}

/// `/v1/traces` below the address, as OTLP's specification says of `OTEL_EXPORTER_OTLP_ENDPOINT`.
fn traces_of(base: &str) -> Option<Url> {
    let mut url = Url::parse(base).ok()?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return None;
    }
    let path = url.path().trim_end_matches('/').to_owned();
    if !path.ends_with("/v1/traces") {
        url.set_path(&format!("{path}/v1/traces"));
    }
    Some(url)
}

/// `name=value,name=value`, the values percent-encoded, as OTLP's specification says of `OTEL_EXPORTER_OTLP_HEADERS`.
fn headers(text: &SecretString) -> Option<HashMap<String, String>> {
    let pairs = text
        .expose_secret()
        .split(',')
        .filter(|pair| !pair.trim().is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            let value = percent_decoded(value.trim())?;
            HeaderValue::from_str(&value).ok()?;
            Some((name.to_string(), value))
        })
        .collect()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

/// Names as OpenTelemetry's semantic conventions have them.
fn resource(service_name: &str, duty: Option<&str>) -> Resource {
    let instance = format!("{:032x}", rand::random::<u128>());
    Resource::builder_empty()
        .with_service_name(service_name.to_owned())
        .with_attribute(KeyValue::new("service.version", VERSION.version))
        .with_attribute(KeyValue::new("service.instance.id", instance))
        .with_attribute(KeyValue::new("process.pid", i64::from(std::process::id())))
        .with_attributes(duty.map(|duty| KeyValue::new("plaza.duty", duty.to_owned())))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_below_the_address() {
        let of = |base: &str| traces_of(base).map(|url| url.to_string());
        for base in [
            "http://collector:4318",
            "http://collector:4318/",
            "http://collector:4318/v1/traces",
        ] {
            assert_eq!(
                of(base).as_deref(),
                Some("http://collector:4318/v1/traces"),
                "{base}"
            );
        }
        assert_eq!(of("https://x/otlp/").as_deref(), Some("https://x/otlp/v1/traces"));
        for none in ["collector:4318", "ftp://x", "", "http://", "/v1/traces"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn headers_are_pairs() {
        let of = |text: &str| headers(&SecretString::from(text));
        let found = of("authorization=Basic%20YTpi==, x-scope=a%2Cb ,").unwrap();
        assert_eq!(found["authorization"], "Basic YTpi==");
        assert_eq!(found["x-scope"], "a,b");
        assert_eq!(of(""), Some(HashMap::new()));
        for none in ["a", "a b=c", "a=%", "a=%zz", "=b", "a=%0a"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
