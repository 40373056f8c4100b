// The page around the manual's component. The hook names its server in a constant; an interceptor sends its requests
// to the server under test instead, so that the hook itself stays as the manual has it.
import axios from 'axios';
import { createRoot } from 'react-dom/client';
import WelcomeMessage from '../manual/components/WelcomeMessage';

axios.interceptors.request.use((config) => ({
  ...config,
  url: config.url.replace('https://features.almiro.se/api/v1', window.api),
}));

const root = createRoot(document.getElementById('root'));

/** Shows the component for a user. */
window.show = (user) => root.render(<WelcomeMessage user={user} />);
