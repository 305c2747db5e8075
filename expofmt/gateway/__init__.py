"""A gateway that clients, scrapers and scripts cannot tell from Prometheus Pushgateway, over a group store."""
