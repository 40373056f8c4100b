//! Row ids as types, so that one cannot be taken for another. Nothing outside `store`, `admin` and `live`
//! sees them; people and programs see UUIDs, keys and slugs.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name(pub i64);

            impl rusqlite::ToSql for $name {
                fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                    Ok(self.0.into())
                }
            }

            impl rusqlite::types::FromSql for $name {
                fn column_result(value: rusqlite::types::ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
                    value.as_i64().map(Self)
                }
            }
        )*
    };
}

ids! {
    /// A row of `sites`.
    SiteId,
    /// A row of `environments`.
    EnvironmentId,
    /// A row of `features`.
    FeatureId,
    /// A row of `segments`.
    SegmentId,
    /// A row of `tokens`.
    TokenId,
    /// A row of `users`.
    UserId,
}
