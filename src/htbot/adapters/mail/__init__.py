"""Mail: alerts as messages, by SMTP, as files, or through any Apprise URL."""
