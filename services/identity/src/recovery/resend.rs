//! Send the verification once more: the link and the code before it end.

use plaza_contracts::email::Email;

use super::AskError;
use crate::Identity;
use crate::config::EmailVerification;
use crate::mails::Template;
use crate::origin::Origin;

impl Identity {
    /// Asks for the mail with which an address is proven. Where nobody is asked to prove one, none is sent.
    pub(crate) async fn resend_verification(&self, email: &Email, origin: Origin) -> Result<(), AskError> {
        if self.config().verification() == EmailVerification::Off {
            return Ok(());
        }
        self.ask_for_mail(Template::Verify, email, origin).await
    }
}
