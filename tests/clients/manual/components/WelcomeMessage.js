// components/WelcomeMessage.js
import React from 'react';
import { useFeatureConfig } from '../hooks/useFeatureConfig';

const WelcomeMessage = ({ user }) => {
  const { getFeature, isFeatureEnabled, loading } = useFeatureConfig(
    'your-site-id',
    'prod', // environment
    {
      userId: user.id,
      plan: user.plan,
      country: user.country
    }
  );

  if (loading) return <div>Loading...</div>;

  const welcomeMessage = getFeature('welcome_message', 'Welcome!');
  const showPremiumBanner = isFeatureEnabled('premium_banner');

  return (
    <div>
      <h1>{welcomeMessage}</h1>
      {showPremiumBanner && <div>🎉 You have premium access!</div>}
    </div>
  );
};

export default WelcomeMessage;
