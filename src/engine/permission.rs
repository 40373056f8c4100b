//! Who may do what: the roles of feature-config §7, in one function.

/// What a person is allowed in general.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Viewer,
    Editor,
    Admin,
}

impl Role {
    /// Its name in JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Viewer, Self::Editor, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

/// One thing somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// See everything but what is [`Self::Administer`], evaluate, export.
    Read,
    /// Create and change sites, environments, features, rules, segments, Contexts, tokens, webhooks, branding, analytics
    /// settings; import documents.
    Change,
    /// Users, 2FA, GDPR, mail; checking the audit log.
    Administer,
}

/// Whether a role has a permission.
pub fn allows(role: Role, permission: Permission) -> bool {
    role >= match permission {
        Permission::Read => Role::Viewer,
        Permission::Change => Role::Editor,
        Permission::Administer => Role::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::Permission::{Administer, Change, Read};
    use super::*;

    #[test]
    fn each_role_may_what_the_one_below_may_and_more() {
        for (role, name, may) in [
            (Role::Viewer, "viewer", [true, false, false]),
            (Role::Editor, "editor", [true, true, false]),
            (Role::Admin, "admin", [true, true, true]),
        ] {
            assert_eq!([Read, Change, Administer].map(|permission| allows(role, permission)), may, "{name}");
            assert_eq!((role.as_str(), Role::parse(name)), (name, Some(role)));
        }
        assert_eq!(Role::parse("Admin"), None);
    }
}
