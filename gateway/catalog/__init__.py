"""Plans, weights, keys and subscriptions as the running gateway has them: the configuration's and the store's."""
