//! What RabbitMQ alone promises: what travels, and what is done about everything that can happen to a broker.

mod broken;
mod change;
mod differences;
mod foreign;
mod own_broker;
mod proxy;
mod publish;
mod raw;
mod travel;
mod waiting;
