//! Taking what a callback tells of people and templates.
//!
//! A callback goes to every tenant that says the account is theirs: about their own messages. What people write and want is
//! told only to those whose token the account has accepted: to say that it is theirs costs nothing.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use plaza_contracts::events::TemplateStateChanged;
use plaza_contracts::ids::SenderId;
use plaza_database::{DatabaseError, TenantTx};
use plaza_kernel::TenantId;
use plaza_messaging::outbox;
use plaza_web::ApiError;

use super::{Moved, OfNumber, Preference, TemplateUpdate, store};
use crate::Notification;
use crate::conversations::take::To;
use crate::conversations::{Person, persons};
use crate::senders::{WHATSAPP, holders as senders};
use crate::suppressions::{Said, Scope};

/// Which numbers are known to belong to which business accounts, so that not every receipt asks the database.
#[derive(Debug, Default)]
pub(crate) struct Businesses(Mutex<HashSet<Belongs>>);

/// A tenant, a number, and the business account that the number belongs to.
type Belongs = (TenantId, String, String);

impl Businesses {
    /// Beyond so many all are forgotten, and asked for again.
    const MOST: usize = 10_000;

    fn has(&self, belongs: &Belongs) -> bool {
        self.known().contains(belongs)
    }

    fn note(&self, belongs: Belongs) {
        let mut known = self.known();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(belongs);
    }

    // Every change is one call on the set.
    fn known(&self) -> MutexGuard<'_, HashSet<Belongs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notification {
    /// What is told of people, for one of the tenants who say that the number is theirs.
    pub(crate) async fn take_of_people(
        &self,
        tenant: TenantId,
        account: &str,
        told: &OfNumber,
    ) -> Result<(), ApiError> {
        let belongs = (
            tenant,
            account.to_owned(),
            told.business.clone().unwrap_or_default(),
        );
        if !told.is_about_people() && self.inner.businesses.has(&belongs) {
            return Ok(());
        }
        let tx = self.inner.database.begin(tenant);
        let Some(sender) = senders::proven(&tx, WHATSAPP, account).await? else {
            return Ok(());
        };
        if let Some(business) = &told.business
            && sender.business_account.as_ref() != Some(business)
        {
            senders::belongs(&tx, sender.id, business).await?;
        }
        for renamed in &told.renamed {
            let names = (renamed.previous.clone(), renamed.current.clone());
            persons::rename(&tx, sender.id, names).await?;
        }
        for moved in &told.moved {
            self.take_moved(&tx, sender.id, moved).await?;
        }
        for preference in &told.preferences {
            self.take_preference(&tx, preference).await?;
        }
        let to = To {
            sender: sender.id,
            channel: WHATSAPP,
        };
        self.take_inbound_in(&tx, to, &told.inbound).await?;
        tx.commit().await?;
        self.inner.businesses.note(belongs);
        Ok(())
    }

    /// A person with another number is the same person: what they wanted they still want.
    async fn take_moved(&self, tx: &TenantTx, sender: SenderId, moved: &Moved) -> Result<(), DatabaseError> {
        if let (Some(previous), Some(current)) = (&moved.from.user, &moved.user) {
            persons::rename(tx, sender, (previous.clone(), current.clone())).await?;
        }
        // By the id that they have now.
        let from = Person {
            user: moved.user.clone().or_else(|| moved.from.user.clone()),
            ..moved.from.clone()
        };
        persons::move_to(tx, sender, &from, &moved.to).await?;
        if let Some(from) = &moved.from.address {
            self.carry_suppressions(tx, WHATSAPP, (from, &moved.to)).await?;
        }
        Ok(())
    }

    async fn take_preference(&self, tx: &TenantTx, preference: &Preference) -> Result<(), DatabaseError> {
        let who = (WHATSAPP, preference.address.as_str());
        if preference.wants {
            let said = [Said::Preference, Said::Provider];
            self.opt_in(tx, who, (Scope::Marketing, &said), preference.at)
                .await?;
        } else {
            self.opt_out(tx, who, (Scope::Marketing, Said::Preference), preference.at)
                .await?;
        }
        Ok(())
    }

    /// What became of templates of a business account.
    pub(crate) async fn take_templates(
        &self,
        business: &str,
        updates: &[TemplateUpdate],
    ) -> Result<(), ApiError> {
        let mut taken = Ok(());
        for tenant in self.holders(senders::BUSINESS, business).await? {
            taken = taken.and(self.take_templates_of(tenant, business, updates).await);
        }
        Ok(taken?)
    }

    async fn take_templates_of(
        &self,
        tenant: TenantId,
        business: &str,
        updates: &[TemplateUpdate],
    ) -> Result<(), DatabaseError> {
        let tx = self.inner.database.begin(tenant);
        for sender in senders::of_business(&tx, WHATSAPP, business).await? {
            for update in updates {
                self.take_template(&tx, sender, update).await?;
            }
        }
        tx.commit().await
    }

    async fn take_template(
        &self,
        tx: &TenantTx,
        sender: SenderId,
        update: &TemplateUpdate,
    ) -> Result<(), DatabaseError> {
        if !store::keep_template(tx, sender, update).await? {
            return Ok(());
        }
        let changed = TemplateStateChanged {
            sender_id: sender,
            name: update.name.clone(),
            language: update.language.clone(),
            state: update.state.clone(),
            reason: update.reason.clone(),
            at: update.at,
        };
        outbox::append(tx, &self.inner.clock, &changed).await.map(drop)
    }
}
