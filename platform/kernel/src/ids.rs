//! Typed ids: a UUIDv7 on the inside, a plain UUID on the wire, its own type in the code.

/// Declares an id type.
///
/// The type is a UUIDv7 (RFC 9562 §5.7, ordered by time), a plain UUID in JSON, in URLs and in PostgreSQL.
///
/// ```
/// plaza_kernel::typed_id!(
///     /// A campaign of a tenant.
///     CampaignId
/// );
/// let clock = plaza_kernel::Clock::system();
/// let id = CampaignId::generate(&clock);
/// assert_eq!(id.to_string().parse::<CampaignId>().unwrap(), id);
/// ```
#[macro_export]
macro_rules! typed_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name($crate::private::uuid::Uuid);

        impl $name {
            /// A new id that sorts after the ones made before it by the same process.
            pub fn generate(clock: &$crate::Clock) -> Self {
                Self(clock.uuid())
            }

            /// The plain UUID, for the wire and the database.
            pub const fn as_uuid(&self) -> $crate::private::uuid::Uuid {
                self.0
            }
        }

        impl ::core::convert::From<$crate::private::uuid::Uuid> for $name {
            fn from(uuid: $crate::private::uuid::Uuid) -> Self {
                Self(uuid)
            }
        }

        impl ::core::convert::From<$name> for $crate::private::uuid::Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        $crate::typed_id!(@wire $name, |uuid| ::core::result::Result::<_, $crate::private::uuid::Error>::Ok($name(uuid)));
    };

    // The traits shared by ids that accept every UUID and by `TenantId`, which does not.
    (@wire $name:ident, $parse:expr) => {
        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::core::str::FromStr for $name {
            type Err = ::std::boxed::Box<dyn ::std::error::Error + Send + Sync>;

            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                let uuid = $crate::private::uuid::Uuid::try_parse(text)?;
                Ok($parse(uuid)?)
            }
        }

        impl $crate::private::serde::Serialize for $name {
            fn serialize<S: $crate::private::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                $crate::private::serde::Serialize::serialize(&self.0, serializer)
            }
        }

        impl<'de> $crate::private::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::private::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                let uuid =
                    <$crate::private::uuid::Uuid as $crate::private::serde::Deserialize>::deserialize(deserializer)?;
                $parse(uuid).map_err($crate::private::serde::de::Error::custom)
            }
        }

        impl $crate::private::postgres_types::ToSql for $name {
            fn to_sql(
                &self,
                ty: &$crate::private::postgres_types::Type,
                out: &mut $crate::private::postgres_types::private::BytesMut,
            ) -> ::core::result::Result<
                $crate::private::postgres_types::IsNull,
                ::std::boxed::Box<dyn ::std::error::Error + Sync + Send>,
            > {
                $crate::private::postgres_types::ToSql::to_sql(&self.0, ty, out)
            }

            fn accepts(ty: &$crate::private::postgres_types::Type) -> bool {
                <$crate::private::uuid::Uuid as $crate::private::postgres_types::ToSql>::accepts(ty)
            }

            $crate::private::postgres_types::to_sql_checked!();
        }

        impl<'a> $crate::private::postgres_types::FromSql<'a> for $name {
            fn from_sql(
                ty: &$crate::private::postgres_types::Type,
                raw: &'a [u8],
            ) -> ::core::result::Result<Self, ::std::boxed::Box<dyn ::std::error::Error + Sync + Send>> {
                let uuid =
                    <$crate::private::uuid::Uuid as $crate::private::postgres_types::FromSql>::from_sql(ty, raw)?;
                Ok($parse(uuid)?)
            }

            fn accepts(ty: &$crate::private::postgres_types::Type) -> bool {
                <$crate::private::uuid::Uuid as $crate::private::postgres_types::FromSql>::accepts(ty)
            }
        }

        impl $crate::private::utoipa::PartialSchema for $name {
            fn schema()
            -> $crate::private::utoipa::openapi::RefOr<$crate::private::utoipa::openapi::schema::Schema> {
                $crate::private::uuid_schema()
            }
        }

        impl $crate::private::utoipa::ToSchema for $name {}
    };
}

typed_id!(
    /// A person's global account. One account may be a member of several tenants.
    UserId
);

typed_id!(
    /// A login: everything a refresh-token family belongs to.
    SessionId
);
