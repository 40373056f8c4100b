// routes/api.js
const express = require('express');
const FeatureConfigService = require('../services/FeatureConfigService');

const router = express.Router();
const featureConfig = new FeatureConfigService(process.env.FEATURE_CONFIG_TOKEN);

router.get('/dashboard', async (req, res) => {
  const context = {
    userId: req.user?.id,
    plan: req.user?.plan,
    country: req.user?.country
  };

  const showNewDashboard = await featureConfig.isFeatureEnabled(
    'your-site-id',
    'prod',
    'new_dashboard',
    context
  );

  const maxItems = await featureConfig.getFeature(
    'your-site-id',
    'prod',
    'dashboard_max_items',
    10,
    context
  );

  res.render(showNewDashboard ? 'dashboard-v2' : 'dashboard-v1', { maxItems });
});

module.exports = router;
