//! Ids that more than one service speaks of.

plaza_kernel::typed_id!(
    /// A campaign of a tenant.
    CampaignId
);

plaza_kernel::typed_id!(
    /// One message to one person. The provider gets it as our reference.
    MessageId
);

plaza_kernel::typed_id!(
    /// An account at a provider that messages go out from.
    SenderId
);

plaza_kernel::typed_id!(
    /// One raw webhook delivery.
    WebhookId
);

plaza_kernel::typed_id!(
    /// What was written with one person over one account.
    ConversationId
);
