//! The promises of messaging, on a real PostgreSQL and a real RabbitMQ.

mod carrier;
mod catalogue;
mod clean;
mod conformance;
mod consume;
mod crash;
mod fairness;
mod isolate;
mod kill;
mod ledger;
mod rabbitmq;
mod relay;
mod run;
